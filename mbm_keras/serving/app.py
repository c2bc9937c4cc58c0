"""The web application: its addresses, and the way of a request."""

import contextlib
import json
import pathlib
import time
import urllib.parse

from mbm_keras.serving import answers
from mbm_keras.serving import openapi
from mbm_keras.serving import page
from mbm_keras.serving import rows as parsing
from mbm_keras.serving import tensorflow_rest
from mbm_keras.serving.batching import Batcher
from mbm_keras.serving.limits import Bodies
from mbm_keras.serving.limits import Limits
from mbm_keras.serving.limits import Refused
from mbm_keras.serving.limits import refuse
from mbm_keras.serving.monitor import Monitor
from mbm_keras.serving.monitor import resident_bytes

_TOP = 10  # labels of an answer


class Service:
    """What the addresses share: the model, its batches, bodies and figures.

    Args:
        served: The `Served`.
        limits: The `Limits`.
    """

    def __init__(self, served, limits):
        self.served, self.limits = served, limits
        self.bodies, self.monitor = Bodies(limits), Monitor()
        self.batcher = Batcher(served.answer, limits, self.monitor.observe_batch)

    async def predict(self, request):
        """Answers `POST /predict`."""
        top = _integer(request.query_params.get("top", str(_TOP)))
        explain = request.query_params.get("explain", "") in ("1", "true")
        body = await self.bodies.read(request)
        try:
            rows = await self._parse(request, body)
            if explain and len(rows) > 1:
                raise refuse(422, "rows", "Expected one row with `explain`.", "rows")
            if explain:
                return {"rows": [await self._explain(rows[0], top)]}
            found = await self.batcher.ask(rows)
        finally:
            self.bodies.release(len(body))
        described = [
            answers.describe(found, i, self.served, top) for i in range(len(rows))
        ]
        self.monitor.observe_statuses(described)
        return {"rows": described}

    async def predict_tensorflow(self, request):
        """Answers `POST /v1/models/<name>:predict`."""
        body = await self.bodies.read(request)
        try:
            rows, is_columns = tensorflow_rest.parse(body, self.served, self.limits)
            found = await self.batcher.ask(rows)
        finally:
            self.bodies.release(len(body))
        return tensorflow_rest.describe(found, is_columns)

    async def _parse(self, request, body):
        kind = request.headers.get("content-type", "application/json")
        if kind.startswith("multipart/form-data"):
            values = await _read_form(request, body, self.served, self.limits)
            return [parsing.parse_form(values, self.served)]
        if kind.split(";")[0].strip() != "application/json":
            message = "Expected application/json or multipart/form-data."
            raise refuse(415, "content_type", f"{message} Received: {kind[:60]!r}.")
        return parsing.parse_json(body, self.served, self.limits)

    async def _explain(self, row, top):
        """The answer to a row, and how it changes without each part."""
        without = answers.without_parts(row, self.served)
        found = await self.batcher.ask([row, *without.values()])
        described = answers.describe(found, 0, self.served, top)
        self.monitor.observe_statuses([described])
        changes = answers.what_parts_bring(found, self.served) if without else {}
        described["brought"] = {
            name: dict(zip(without, values, strict=True))
            for name, values in changes.items()
        }
        return described

    def figures(self):
        """The text of `GET /metrics`."""
        return self.monitor.to_text(
            mbm_waiting_rows=self.batcher.waiting_rows,
            mbm_body_bytes=self.bodies.bytes,
            process_resident_memory_bytes=resident_bytes(),
        )


def create_app(served, *, name="model", limits=None):
    """The application, for uvicorn or a test client.

    Args:
        served: The `Served`.
        name: Name of the model, in `/v1/models/<name>` and on the page.
        limits: The `Limits`; None for the default ones.

    Returns:
        A `fastapi.FastAPI`.
    """
    import fastapi

    service = Service(served, limits or Limits())

    @contextlib.asynccontextmanager
    async def lifespan(app):
        served.answer([served.empty_row()] * 2)  # the first call takes longest
        service.batcher.start()
        yield
        await service.batcher.stop()

    app = fastapi.FastAPI(
        title=name,
        description="Answers of a model of mbm_keras.",
        lifespan=lifespan,
        docs_url=None,  # its page is on a server of others
        redoc_url=None,
    )
    app.state.service = service
    _add_errors(app)
    app.add_middleware(Counting, monitor=service.monitor)
    _add_predict(app, service)
    _add_tensorflow(app, service, name)
    _add_page(app, service, name)
    return app


def _add_predict(app, service):
    import fastapi

    described = {
        "requestBody": openapi.request_body(service.served),
        "responses": openapi.responses(service.served),
        "parameters": [
            _parameter("top", "integer", "The most labels to list."),
            _parameter("explain", "boolean", "What each part of one row brought."),
        ],
    }

    @app.post("/predict", summary="Answer rows", openapi_extra=described)
    async def predict(request: fastapi.Request) -> fastapi.Response:
        return _json(await service.predict(request))

    @app.get("/healthz", summary="Whether the server answers")
    async def healthz() -> fastapi.Response:
        return _json({"status": "ok"})

    @app.get("/metrics", summary="Figures for Prometheus")
    async def metrics() -> fastapi.Response:
        return fastapi.Response(
            service.figures(), media_type="text/plain; version=0.0.4"
        )


def _add_tensorflow(app, service, name):
    import fastapi

    path = f"/v1/models/{urllib.parse.quote(name)}"
    described = {"requestBody": openapi.tensorflow_body(service.served)}
    summary = "Answer rows, in the convention of TensorFlow Serving"

    @app.post(f"{path}:predict", summary=summary, openapi_extra=described)
    async def predict_tensorflow(request: fastapi.Request) -> fastapi.Response:
        return _json(await service.predict_tensorflow(request))

    @app.get(path, summary="State of the model")
    async def state() -> fastapi.Response:
        return _json(tensorflow_rest.STATUS)

    @app.get(f"{path}/metadata", summary="Signature of the model")
    async def metadata() -> fastapi.Response:
        return _json(tensorflow_rest.metadata(name, service.served))


def _add_page(app, service, name):
    import fastapi

    text = page.render(service.served, name)
    folder = pathlib.Path(__file__).parent

    @app.get("/", include_in_schema=False)
    async def show() -> fastapi.Response:
        headers = {"content-security-policy": page.POLICY}
        return fastapi.Response(text, media_type="text/html", headers=headers)

    for file, kind in page.FILES.items():
        _add_file(app, file, (folder / file).read_bytes(), kind)


def _add_file(app, file, content, kind):
    import fastapi

    @app.get(f"/{file}", include_in_schema=False)
    async def send() -> fastapi.Response:
        return fastapi.Response(content, media_type=kind)


def _add_errors(app):
    import fastapi
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect

    @app.exception_handler(Refused)
    async def on_refused(request, error):
        headers = {"retry-after": "1"} if error.status == 503 else {}
        if error.status in (408, 413, 503):  # the rest of the body is not read
            headers["connection"] = "close"
        return _json({"detail": error.errors}, error.status, headers)

    @app.exception_handler(ClientDisconnect)
    async def on_disconnect(request, error):
        return fastapi.Response(status_code=499)  # it is not read

    @app.exception_handler(HTTPException)
    async def on_http_error(request, error):
        detail = [{"loc": [], "msg": str(error.detail), "type": "http"}]
        return _json({"detail": detail}, error.status_code, error.headers)


class Counting:
    """Counts requests, and adds a header to every answer.

    Args:
        app: The application of ASGI.
        monitor: The `Monitor`.
    """

    def __init__(self, app, monitor):
        self.app, self.monitor = app, monitor

    async def __call__(self, scope, receive, send):
        """Passes a request on."""
        start, statuses = time.monotonic(), []

        async def send_counted(message):
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
                nosniff = (b"x-content-type-options", b"nosniff")
                message = {**message, "headers": [*message["headers"], nosniff]}
            await send(message)

        try:
            await self.app(scope, receive, send_counted)
        finally:
            if scope["type"] == "http" and scope["method"] == "POST":
                # An address that there is not would be a figure of its own.
                path = getattr(scope.get("route"), "path", "other")
                seconds = time.monotonic() - start
                status = statuses[0] if statuses else 499
                self.monitor.observe_request(path, status, seconds)


async def _read_form(request, body, served, limits):
    """Pairs of a name and a string, or the bytes of a file."""
    from starlette.formparsers import MultiPartException
    from starlette.formparsers import MultiPartParser

    async def stream():
        yield body

    number = len(served.fields) + 10
    parser = MultiPartParser(
        request.headers,
        stream(),
        max_files=number,
        max_fields=number,
        max_part_size=limits.request_bytes,
    )
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        message = f"Expected a form. Received: {str(error)[:200].rstrip('.')}."
        raise refuse(400, "form", message) from None
    try:
        return [
            (name, value if isinstance(value, str) else await value.read())
            for name, value in form.multi_items()
        ]
    finally:
        await form.close()


def _json(value, status=200, headers=None):
    import fastapi

    content, kind = json.dumps(value), "application/json"
    return fastapi.Response(content, status, headers, media_type=kind)


def _integer(text):
    if not text.isdecimal() or not 0 < int(text[:9]) <= 100_000:
        raise refuse(422, "value", "Expected a number of labels.", "query", "top")
    return int(text[:9])


def _parameter(name, kind, text):
    schema = {"type": kind}
    return {"name": name, "in": "query", "schema": schema, "description": text}
