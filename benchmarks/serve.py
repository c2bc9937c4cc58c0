"""Throughput of `mbm serve` with 64 clients, and that of its graph called directly.

The model is that of `serving.py`: a sentence, a JPEG of 160 x 120 pixels and a WAV of a
second, with the small towers of `mbm train`. Three processes share the machine: the
graph alone, which answers one request after another while the server is idle; the
server; and 64 clients on connections of their own that send JSON with base64, each its
next request as soon as it has an answer. Rounds of the graph and of the server
alternate. Goals: 0.7 of the rows per second of the graph for requests of one row and of
32 rows; and a memory that does not grow.
"""

import asyncio
import base64
import contextlib
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import common
import serving

CLIENTS, ROUNDS = 64, 3
PICTURE = "small"


def graph(folder):
    """Answers requests in turn for as many seconds as each line of the input says."""
    import tensorflow as tf

    loaded = tf.saved_model.load(f"{folder}/{PICTURE}/ours")
    serve = loaded.signatures["serving_default"]
    columns = serving.columns_of(PICTURE)
    for line in sys.stdin:
        rows, seconds = json.loads(line)
        asked = [
            {name: tf.constant(x[start : start + rows]) for name, x in columns.items()}
            for start in range(0, serving.ROWS, rows)
        ]
        for one in asked[:3]:
            serve(**one)
        count, start, cpu = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() - start < seconds:
            serve(**asked[count % len(asked)])["answer"].numpy()
            count += 1
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu
        print(json.dumps([rows * count / wall, rows * count / cpu]), flush=True)


def requests_of(rows):
    """Whole HTTP requests of so many rows, ready to send."""
    columns = serving.columns_of(PICTURE)
    found = []
    for start in range(0, serving.ROWS, rows):
        chosen = [
            {
                "text": columns["text"][i].decode(),
                "photo": base64.b64encode(columns["photo"][i]).decode(),
                "voice": base64.b64encode(columns["voice"][i]).decode(),
            }
            for i in range(start, start + rows)
        ]
        body = json.dumps({"rows": chosen}).encode()
        head = (
            "POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        found.append(head.encode() + body)
    return found


async def exchange(reader, writer, request):
    """Sends a request and reads its answer; returns its status."""
    writer.write(request)
    await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    size = next(
        int(line.split(":")[1])
        for line in head.splitlines()
        if line.startswith("content-length:")
    )
    await reader.readexactly(size)
    return int(head.split()[1])


async def load(port, requests, seconds, most):
    """Seconds of each request of all clients, and those of the whole."""
    taken, start = [], time.perf_counter()

    async def client(number):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        i = number
        while time.perf_counter() - start < seconds and len(taken) < most:
            before = time.perf_counter()
            status = await exchange(reader, writer, requests[i % len(requests)])
            if status != 200:
                raise SystemExit(f"Expected status 200. Received: {status}.")
            taken.append(time.perf_counter() - before)
            i += 1
        writer.close()

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    return taken, time.perf_counter() - start


def memory_of(pid):
    """Resident megabytes of a process."""
    text = pathlib.Path(f"/proc/{pid}/statm").read_text()
    return int(text.split()[1]) * 4_096 / 1e6


def cpu_of(pid):
    """Processor seconds of a process."""
    values = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(values[11]) + int(values[12])) / 100


@contextlib.contextmanager
def run_process(command, **pipes):
    """A process that ends with the block."""
    with subprocess.Popen(command, text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def measure(folder, quick):
    """Figures by name."""
    command = [sys.executable, __file__, "graph", folder]
    pipe = subprocess.PIPE
    served = f"{folder}/{PICTURE}/ours"
    server_command = [
        *(sys.executable, "-m", "mbm_keras.cli", "serve", served, "--port", "0"),
    ]
    result = {}
    with (
        run_process(command, stdin=pipe, stdout=pipe) as bare,
        run_process(server_command, stderr=pipe) as server,
    ):
        line = ""
        while "http" not in line:
            line = server.stderr.readline()
            if not line:
                raise SystemExit("The server ended.")
        port = int(line.rsplit(":", 1)[1])
        for rows in (1, 32):
            result |= measure_rows(rows, bare, server, port, 3 if quick else 10)
        requests = requests_of(1)
        many, before = 2_000 if quick else 100_000, memory_of(server.pid)
        asyncio.run(load(port, requests, 3_600, many // 2))
        middle = memory_of(server.pid)
        asyncio.run(load(port, requests, 3_600, many // 2))
        result["requests for memory"] = many
        result["memory before, half-way, after, MB"] = [
            round(x) for x in (before, middle, memory_of(server.pid))
        ]
    return result


def measure_rows(rows, bare, server, port, seconds):
    """Figures of requests of so many rows."""
    requests = requests_of(rows)
    asyncio.run(load(port, requests, 1, 10**9))  # warms up
    direct, answered, waited = [], [], []
    for _ in range(ROUNDS):
        bare.stdin.write(json.dumps([rows, seconds]) + "\n")
        bare.stdin.flush()
        direct.append(json.loads(bare.stdout.readline()))
        cpu = cpu_of(server.pid)
        taken, wall = asyncio.run(load(port, requests, seconds, 10**9))
        cpu = cpu_of(server.pid) - cpu
        answered.append((rows * len(taken) / wall, rows * len(taken) / cpu))
        waited += taken
    name = f"{rows} rows: "
    figures = {}
    for i, unit in enumerate(("rows/s", "rows per CPU second")):
        one, other = (statistics.median(x[i] for x in y) for y in (direct, answered))
        figures |= {
            f"{name}graph, {unit}": one,
            f"{name}server, {unit}": other,
            f"{name}ratio of {unit}": other / one,
        }
    figures[f"{name}p50 ms"] = 1e3 * statistics.median(waited)
    figures[f"{name}p99 ms"] = 1e3 * statistics.quantiles(waited, n=100)[-1]
    return figures


def main():
    """Writes the SavedModel, and prints the figures."""
    if sys.argv[1:2] == ["graph"]:
        return graph(sys.argv[2])
    arguments = common.options(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        serving.write(folder, PICTURE)
        result = measure(folder, arguments.quick)
    common.show(result, arguments.json)


if __name__ == "__main__":
    main()
