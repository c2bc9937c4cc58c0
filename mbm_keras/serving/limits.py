"""What one client may take of a server, and reading a body within it."""

import asyncio
import dataclasses
import time


@dataclasses.dataclass(frozen=True)
class Limits:
    """How much a request may have, and how long it may take.

    Args:
        request_bytes: The most bytes that a body may have.
        total_bytes: The most that all bodies that are being read or answered may have.
        rows: The most rows of a request.
        body_seconds: Seconds within which a body must have arrived.
        idle_seconds: Seconds within which a new connection must send its headers.
        seconds: Seconds within which a request is answered once it has arrived.
        batch_rows: The most rows that the model answers at once. A request with more is
            answered by itself.
        batch_wait: Seconds that a request waits for others while the model is idle.
        waiting_rows: The most rows that may wait; a request that comes then is refused.
    """

    request_bytes: int = 32_000_000
    total_bytes: int = 512_000_000
    rows: int = 256
    body_seconds: float = 20.0
    idle_seconds: float = 10.0
    seconds: float = 30.0
    batch_rows: int = 64
    batch_wait: float = 0.002
    waiting_rows: int = 4_096

    def __post_init__(self):
        values = dataclasses.asdict(self)
        wait = values.pop("batch_wait")
        if min(values.values()) <= 0 or wait < 0:
            raise ValueError(
                "Expected limits > 0 and batch_wait >= 0. Received: "
                f"{', '.join(f'{n}={v}' for n, v in dataclasses.asdict(self).items())}."
            )


class Refused(Exception):
    """A request that is not answered.

    Args:
        status: HTTP status.
        errors: Dicts with `loc`, a path to the field; `msg`; and `type`.
    """

    def __init__(self, status, errors):
        super().__init__(status, errors)
        self.status, self.errors = status, errors


def refuse(status, kind, message, *loc):
    """A `Refused` with one error."""
    return Refused(status, [{"loc": ["body", *loc], "msg": message, "type": kind}])


class Bodies:
    """Bodies in memory, counted.

    Args:
        limits: The `Limits`.
    """

    def __init__(self, limits):
        self.limits, self.bytes = limits, 0

    async def read(self, request):
        """The body of a request; the caller gives it back with `release`.

        Args:
            request: A `starlette.requests.Request`.

        Raises:
            Refused: If it is too large or too slow, or there are too many others.
        """
        limits, parts, taken = self.limits, [], 0
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared[:20]) > limits.request_bytes:
            raise _too_large(limits)
        end = time.monotonic() + limits.body_seconds
        stream = request.stream()
        try:
            while True:
                left = end - time.monotonic()
                part = await asyncio.wait_for(anext(stream, None), max(left, 0.0))
                if part is None:
                    return b"".join(parts)
                parts.append(part)
                taken += len(part)
                self.bytes += len(part)
                if taken > limits.request_bytes:
                    raise _too_large(limits)
                if self.bytes > limits.total_bytes:
                    raise refuse(503, "busy", "Other requests take all of the memory.")
        except BaseException as error:
            self.release(taken)
            if isinstance(error, TimeoutError):
                message = f"The body took more than {limits.body_seconds:g} s."
                raise refuse(408, "too_slow", message) from None
            raise

    def release(self, size):
        """Gives the memory of a body back."""
        self.bytes -= size


def _too_large(limits):
    message = f"Expected at most {limits.request_bytes} bytes."
    return refuse(413, "too_large", message)
