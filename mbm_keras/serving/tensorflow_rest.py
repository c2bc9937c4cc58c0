"""The REST convention of TensorFlow Serving, for clients that speak it.

Source: TensorFlow Serving, "RESTful API",
https://www.tensorflow.org/tfx/serving/api_rest. Deviation: one version and one
signature; `null` and `"NaN"` are absent numbers, and a number of the answer that is not
finite is `null`.
"""

from mbm_keras.serving.answers import plain
from mbm_keras.serving.limits import refuse
from mbm_keras.serving.rows import read_object
from mbm_keras.serving.rows import to_rows


def parse(body, served, limits):
    """Rows, and whether they came as columns.

    Args:
        body: Bytes of the request: `{"instances": [{key: value}]}`, or
            `{"inputs": {key: [value]}}`. Bytes are `{"b64": string}`.
        served: The `Served`.
        limits: The `Limits`.

    Raises:
        Refused: If something is wrong.
    """
    content = read_object(body)
    signature = content.get("signature_name", "serving_default")
    if signature not in ("serving_default", "serve"):
        message = f"Expected `serving_default`. Received: {str(signature)[:60]!r}."
        raise refuse(404, "signature", message, "signature_name")
    given = [name for name in ("instances", "inputs") if name in content]
    if len(given) != 1:
        raise refuse(422, "object", "Expected either `instances` or `inputs`.")
    (where,) = given
    rows, is_columns = content[where], where == "inputs"
    if is_columns:
        rows = _to_instances(rows)
    if not isinstance(rows, list):
        raise refuse(422, "array", "Expected an array.", where)
    if len(served.fields) == 1:  # a bare value is that of the one column
        (only,) = served.fields
        rows = [
            row if isinstance(row, dict) and "b64" not in row else {only.key: row}
            for row in rows
        ]
    names = {field.key: field for field in served.fields}
    return to_rows(rows, names, served, limits, (where,)), is_columns


def _to_instances(columns):
    is_columns = isinstance(columns, dict) and columns
    lists = list(columns.values()) if is_columns else [None]
    if not all(isinstance(x, list) and len(x) == len(lists[0]) for x in lists):
        message = "Expected an object of arrays of one length."
        raise refuse(422, "object", message, "inputs")
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


def describe(found, is_columns):
    """The answer in the form of the request.

    Args:
        found: Arrays by result.
        is_columns: Whether the rows came as columns.
    """
    columns = {name: plain(values) for name, values in found.items()}
    if is_columns:
        return {"outputs": columns}
    rows = zip(*columns.values(), strict=True)
    return {"predictions": [dict(zip(columns, row, strict=True)) for row in rows]}


def metadata(name, served):
    """What `GET /v1/models/<name>/metadata` says.

    Args:
        name: Name of the model.
        served: The `Served`.
    """
    inputs = {
        field.key: {
            "dtype": "DT_DOUBLE" if field.is_number else "DT_STRING",
            "tensor_shape": {"dim": [{"size": "-1", "name": ""}]},
            "column": field.name,
        }
        for field in served.fields
    }
    signature = {"inputs": inputs, "outputs": {n: {} for n in served.results}}
    signatures = {"serving_default": signature}
    return {
        "model_spec": {"name": name, "signature_name": "", "version": "1"},
        "metadata": {"signature_def": {"signature_def": signatures}},
    }


STATUS = {
    "model_version_status": [
        {
            "version": "1",
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }
    ]
}
