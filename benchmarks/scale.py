"""Training over processes: a plan for a hundred million rows, and throughput here.

The plan is arithmetic from the assumptions that are options, and from three speeds that
are measured here: how fast the order of rows is computed, how many bytes a row of the
table takes in memory, and how fast a checkpoint is written. `docs/scale.md` explains
each line. The throughput is that of a small late fusion of a picture and numbers, in 1,
2 and 4 processes of this machine, with one batch of 64 rows for all: what is lost
against one process is communication and cores that are shared.

Goal: none; the script says what a training of that size needs.
"""

import functools
import json
import math
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

import common

GIGA = 1e9


def plan(given, measured):
    """The figures of the plan.

    Args:
        given: The options of the script.
        measured: What `measure` returned.
    """
    rows, processes = given.rows, given.processes
    epoch_bytes = rows * given.row_bytes
    steps = math.ceil(rows / given.batch)
    padded = processes * math.ceil(given.batch / processes)
    gradient = 4 * given.parameters
    ring = 2 * (processes - 1) / processes * gradient
    step_seconds = given.batch / processes / given.rows_per_second
    reduce_seconds = ring / given.network
    epoch_seconds = steps * (step_seconds + reduce_seconds)
    # Weights, two moments of Adam and the moving average, of 4 bytes each.
    checkpoint = 4 * gradient
    write_seconds = checkpoint / measured["checkpoint_bytes_per_second"]
    # Each machine fails once in so many hours: all of them so much more often.
    between = given.hours_between_failures * 3600 / processes
    best = math.sqrt(2 * write_seconds * between)  # Young 1974
    restart = given.restart_seconds
    lost = write_seconds / best + (best / 2 + restart) / between
    epochs_hours = given.epochs * epoch_seconds / 3600
    hours = epochs_hours / max(1e-9, 1 - lost)
    return {
        "bytes_of_an_epoch_TB": epoch_bytes / 1e12,
        "shards_of_256_MB": math.ceil(epoch_bytes / 2**28),
        "shards_per_process": math.ceil(epoch_bytes / 2**28 / processes),
        "rows_per_process_and_step": math.ceil(given.batch / processes),
        "padding_share": 1 - rows / (steps * padded),
        "steps_of_an_epoch": steps,
        "read_MB_per_second_and_process": (
            epoch_bytes / processes / epoch_seconds / 1e6
        ),
        "requests_of_an_epoch_by_row_millions": rows / 1e6,
        "requests_of_an_epoch_by_shard_thousands": epoch_bytes / 2**28 / 1e3,
        # Each process computes the rows of the whole batch, and takes its block.
        "order_share_of_a_core": (
            rows / epoch_seconds / measured["order_rows_per_second"]
        ),
        "table_in_memory_GB_per_process": rows * measured["table_bytes_per_row"] / GIGA,
        "gradient_MB_per_step": gradient / 1e6,
        "step_seconds_computing": step_seconds,
        "step_seconds_communicating": reduce_seconds,
        "share_communicating": reduce_seconds / (step_seconds + reduce_seconds),
        "hours_of_an_epoch": epoch_seconds / 3600,
        "checkpoint_MB": checkpoint / 1e6,
        "checkpoint_seconds": write_seconds,
        "minutes_between_failures_of_all": between / 60,
        "best_minutes_between_checkpoints": best / 60,
        "checkpoints_of_an_epoch_at_best": epoch_seconds / best,
        "share_of_time_lost_to_failures": lost,
        "share_lost_with_a_checkpoint_per_epoch": (
            write_seconds / epoch_seconds + (epoch_seconds / 2 + restart) / between
        ),
        "hours_of_training": hours,
        "cost": hours * processes * given.price,
    }


def measure(quick):
    """Speeds of this machine that the plan needs."""
    return {
        "order_rows_per_second": _order_speed(20 if quick else 200),
        "table_bytes_per_row": _table_bytes(50_000 if quick else 500_000),
        "checkpoint_bytes_per_second": _write_speed(32 if quick else 256),
    }


def _order_speed(steps):
    from data_pipelines.batching.order import Order
    from data_pipelines.batching.shard import Shard

    order = Order(100_000_000, 65_536, shuffle=True, seed=0)
    blocks = iter(Shard(3, 8).divide(order.passes(), 65_536))
    next(blocks)
    start = time.perf_counter()
    for _ in range(steps):
        next(blocks)
    return steps * 65_536 / (time.perf_counter() - start)


def _table_bytes(rows):
    """Bytes of a table of a path, a caption and a label, as `sources` holds it."""
    import polars as pl

    from data_pipelines import sources

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "rows.parquet")
        names = [f"shard-{i // 2_600:06}/{i:09}.jpg" for i in range(rows)]
        words = [f"a caption of eight words number {i} here" for i in range(rows)]
        labels = [str(i % 1_000) for i in range(rows)]
        pl.DataFrame({"image": names, "caption": words, "label": labels}).write_parquet(
            path
        )
        columns = {"image": "text", "caption": "text"}
        table = sources.open_table(path, target="label", columns=columns)
        return table.frame.estimated_size() / rows


def _write_speed(megabytes):
    from data_pipelines import files

    with tempfile.TemporaryDirectory() as folder:
        data = os.urandom(megabytes * 2**20)
        start = time.perf_counter()
        files.write(pathlib.Path(folder, "weights"), data)
        return len(data) / (time.perf_counter() - start)


def throughput(processes, epochs, rows):
    """Rows per second of all processes together, without the first epoch."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    environment = os.environ | {"KERAS_BACKEND": "jax", "TF_CPP_MIN_LOG_LEVEL": "3"}
    found = [
        subprocess.Popen(
            [sys.executable, __file__, "--worker", f"{processes},{i},{port}",
             "--epochs", str(epochs), "--rows", str(rows)],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True,
        )
        for i in range(processes)
    ]  # fmt: skip
    printed = [process.communicate()[0] for process in found]
    if any(process.returncode for process in found):
        raise SystemExit(f"{processes} processes: exit codes other than 0")
    return json.loads(printed[0].splitlines()[-1])


def work(words, epochs, rows):
    """One of the processes whose throughput is measured."""
    import keras
    import numpy as np

    from data_pipelines.decoding.samples import Samples
    from mbm_keras.inputs import InputSpec
    from mbm_keras.models import late_fusion
    from mbm_keras.tasks import Classification
    from mbm_keras.training import Stage
    from mbm_keras.training import distribution
    from mbm_keras.training import fit_stages

    class Clock(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.ends = []

        def on_epoch_end(self, epoch, logs=None):
            self.ends.append(time.perf_counter())

    processes, process, port = map(int, words.split(","))
    rng, clock = np.random.default_rng(0), Clock()
    samples = Samples.from_arrays(
        {
            "photo": rng.integers(0, 255, (rows, 32, 32, 3)).astype("uint8"),
            "numbers": rng.random((rows, 16)).astype("float32"),
        },
        {"label": rng.integers(0, 10, rows)},
    )
    address = f"127.0.0.1:{port}" if processes > 1 else None
    with distribution.start(address, processes, process) as together:
        with together.scope():
            keras.utils.set_random_seed(0)
            model = late_fusion.build(
                inputs=[
                    InputSpec("photo", "image", {"size": 32}),
                    InputSpec("numbers", "vector", {"size": 16}),
                ],
                task=Classification(10),
                width=64,
                pool=True,
            )
            batches = functools.partial(
                samples.batches, 64, shuffle=True, shard=together.shard
            )
            stage = Stage("training", epochs, 1e-3)
            fit_stages(
                model, [stage], batches, task=Classification(10), callbacks=[clock],
                verbose=0,
            )  # fmt: skip
        if together.is_first:
            seconds = clock.ends[-1] - clock.ends[0]
            found = {
                "rows_per_second": (epochs - 1) * rows / seconds,
                "ms_per_step": 1e3 * seconds / ((epochs - 1) * math.ceil(rows / 64)),
                "parameters": model.count_params(),
            }
            print(json.dumps(found))


def main():
    """Prints the plan, and the throughput of 1, 2 and 4 processes."""
    given = common.options(
        __doc__,
        rows=(int, 100_000_000, "rows of the table"),
        processes=(int, 1_000, "processes, one accelerator each"),
        row_bytes=(int, 100_200, "bytes of a row: a JPEG of 100 kB and a caption"),
        batch=(int, 65_536, "rows of a step, of all processes together"),
        parameters=(int, 150_000_000, "weights of the model"),
        rows_per_second=(float, 1_000.0, "rows per second that a process computes"),
        network=(float, 10e9, "bytes per second between two processes"),
        epochs=(int, 10, "passes over the rows"),
        hours_between_failures=(float, 50_000.0, "of one machine"),
        restart_seconds=(float, 300.0, "until a training goes on after a failure"),
        price=(float, 3.0, "of an hour of a process"),
        counts=(str, "1,2,4", "numbers of processes to measure; empty for none"),
        worker=(str, "", "for the script itself"),
    )
    if given.worker:
        work(given.worker, given.epochs, given.rows)
        return
    measured = measure(given.quick)
    result = {**measured, **plan(given, measured)}
    epochs, rows = (3, 512) if given.quick else (5, 2_048)
    for count in filter(None, given.counts.split(",")):
        found = throughput(int(count), epochs, rows)
        result |= {f"{name}_{count}": value for name, value in found.items()}
    common.show(result, given.json)


if __name__ == "__main__":
    main()
