"""The description of the API, made from the columns of the model."""


def row_schema(served, *, form=False):
    """The JSON schema of a row.

    Args:
        served: The `Served`.
        form: True for a form, in which bytes are a file.
    """
    properties = {f.name: _value_schema(f, form) for f in served.fields}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _value_schema(field, form):
    if field.is_number:
        return {"type": ["number", "null"], "description": field.value}
    schema = {"type": ["string", "null"], "description": field.value}
    if field.is_bytes:
        schema["format"] = "binary" if form else "byte"
        schema["description"] += "" if form else ", in base64"
    return schema


def request_body(served):
    """The body of `POST /predict`."""
    rows = {"type": "array", "items": row_schema(served), "minItems": 1}
    many = {"type": "object", "properties": {"rows": rows}, "required": ["rows"]}
    return {
        "required": True,
        "content": {
            "application/json": {"schema": {"oneOf": [many, row_schema(served)]}},
            "multipart/form-data": {"schema": row_schema(served, form=True)},
        },
    }


def tensorflow_body(served):
    """The body of `POST /v1/models/<name>:predict`."""
    values = {field.key: _value_schema(field, False) for field in served.fields}
    row = {"type": "object", "properties": values}
    columns = {k: {"type": "array", "items": value} for k, value in values.items()}
    properties = {
        "instances": {"type": "array", "items": row},
        "inputs": {"type": "object", "properties": columns},
        "signature_name": {"type": "string", "enum": ["serving_default", "serve"]},
    }
    schema = {"type": "object", "properties": properties}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def responses(served):
    """Answers and errors of `POST /predict`."""
    probabilities = {"type": "object", "additionalProperties": {"type": "number"}}
    answer = {
        "type": "object",
        "properties": {
            "answer": {},
            "probability": {"type": ["number", "null"]},
            "probabilities": probabilities,
        },
    }
    outputs = sorted(
        {of[0] for kind, *of in served.results.values() if kind != "status" and of}
    )
    row = {
        "type": "object",
        "properties": {
            "answered": {"type": "boolean"},
            "status": {"type": "object", "additionalProperties": {"type": "string"}},
            "answers": {
                "type": "object",
                "properties": {name: answer for name in outputs},
            },
            "brought": {"type": "object"},
        },
    }
    error = {
        "type": "object",
        "properties": {
            "loc": {"type": "array", "items": {}},
            "msg": {"type": "string"},
            "type": {"type": "string"},
        },
    }
    errors = _content({"detail": {"type": "array", "items": error}})
    reasons = {
        400: "The body is not JSON, or not a form",
        408: "The body came too slowly",
        413: "The body is too large",
        422: "A value is wrong; each is named",
        503: "Too many requests wait",
        504: "The answer took too long",
    }
    found = {
        "200": {
            "description": "An answer per row",
            **_content({"rows": {"type": "array", "items": row}}),
        }
    }
    for status, reason in reasons.items():
        found[str(status)] = {"description": reason, **errors}
    return found


def _content(properties):
    schema = {"type": "object", "properties": properties}
    return {"content": {"application/json": {"schema": schema}}}
