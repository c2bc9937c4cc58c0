"""A real server in a process of its own, and clients that mean no good."""

import concurrent.futures
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

pytestmark = pytest.mark.slow

SERVER = """
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        first, _, second = name.partition(".")
        if first in ("keras", "data_pipelines"):
            return None
        if first == "mbm_keras" and not second.startswith(("serving", "registration")):
            if second:
                return None
        return self.finder.find_spec(name, path, target)

sys.meta_path = [Without(finder) for finder in sys.meta_path]
from mbm_keras import serving

limits = serving.Limits(request_bytes=500_000, body_seconds=2, idle_seconds=2)
serving.serve(
    sys.argv[1],
    port=0,
    name="small",
    limits=limits,
    ready=lambda address: print(address, flush=True),
)
"""


@pytest.fixture(scope="module")
def process(exported):
    """A server that can import neither Keras nor model code, and its address."""
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    command = [sys.executable, "-c", SERVER, str(exported)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            address = process.stdout.readline().strip()
            assert address.startswith("http"), process.stderr.read()[-2_000:]
            yield process, address
        finally:
            process.kill()


def ask(address, body=b'{"city": "Rome"}', path="/predict"):
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(address + path, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def connect(address, data=b""):
    host, port = address.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    connection.sendall(data)
    return connection


HEAD = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"


def test_others_are_answered_while_clients_are_silent_slow_or_hostile(process):
    _, address = process
    assert ask(address)[0] == 200
    silent = [connect(address) for _ in range(100)]
    slow = [connect(address, HEAD + b"Content-Length: 99\r\n\r\n{") for _ in range(50)]
    half = [connect(address, b"POST /predict HT") for _ in range(20)]
    odd = [connect(address, b"\x16\x03\x01\x00\xff" * 50) for _ in range(20)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: ask(address)[0], range(80)))
    assert found == [200] * 80
    assert all(b"408" in one.recv(100) for one in slow)
    for one in (*silent, *half):
        assert one.recv(100) == b""  # closed
    for one in (*silent, *slow, *half, *odd):
        one.close()
    assert ask(address)[0] == 200


def test_a_body_that_is_too_large_is_refused_while_it_comes(process):
    _, address = process
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    with connect(address, HEAD + b"Transfer-Encoding: chunked\r\n\r\n") as one:
        try:
            for _ in range(30):
                one.sendall(chunk)
        except OSError:
            pass  # the server has closed the connection already
        else:
            assert b"413" in one.recv(100)
    status, answer = ask(address, b"x" * 500_001)
    assert status == 413 and answer["detail"][0]["type"] == "too_large"


def test_it_ends_in_order_on_a_signal(process):
    process, address = process
    assert ask(address)[0] == 200
    start = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0 and time.monotonic() - start < 15
