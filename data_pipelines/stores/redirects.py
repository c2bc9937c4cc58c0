"""Redirects of a server: none leads from a public address into a private network."""

import functools
import ipaddress
import socket
from typing import Any


def check_redirects(address: str) -> dict[str, Any]:
    """Options of `fsspec` with which a server cannot send us to a private address.

    A table may be of a stranger, and the server that it names could otherwise read what
    only this machine reaches.

    Args:
        address: The address of a file.

    Raises:
        ImportError: If it is of the web, and `aiohttp` is not installed.
    """
    if not address.lower().startswith(("http://", "https://")):
        return {}
    return {"client_kwargs": {"trace_configs": [_trace()]}}


@functools.cache
def _trace():
    import aiohttp

    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_refuse)
    return trace


async def _refuse(session, context, params):
    import yarl

    target = params.url.join(yarl.URL(params.response.headers.get("Location", "")))
    if _is_private(target.host) and not _is_private(params.url.host):
        raise PermissionError(f"{params.url.host} redirects to the private {target}")


def _is_private(host):
    """Whether a name has an address that is not one of the internet."""
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return False  # the request to it fails
    addresses = [ipaddress.ip_address(info[4][0].split("%")[0]) for info in found]
    return not all(address.is_global for address in addresses)
