"""An epoch that is read from the cache against an epoch that is decoded.

The rows are those of `decoding.py`: a sentence, a JPEG of 500 x 375 resized to 224, and
a second of audio. Each epoch runs in a process of its own and is measured after its
first batch. Goal: 20 times faster.
"""

import json
import sys
import tempfile
import time

import common
import decoding


def child(folder, cache):
    """Runs one epoch, and prints the microseconds per row."""
    batches = iter(decoding.ours(folder, "files", cache or None))
    next(batches)
    rows, wall, cpu = 0, time.time(), time.process_time()
    for inputs in batches:
        rows += len(inputs["photo"])
    wall, cpu = time.time() - wall, time.process_time() - cpu
    print(json.dumps({"wall_us": 1e6 * wall / rows, "cpu_us": 1e6 * cpu / rows}))


def main():
    """Runs an epoch without a cache, one that fills it, and one that reads it."""
    if sys.argv[1:2] == ["child"]:
        return child(*sys.argv[2:])
    arguments = common.options(__doc__)
    rows = 512 if arguments.quick else 2_048
    result = {"rows": rows}
    with tempfile.TemporaryDirectory() as folder:
        decoding.make(folder, rows)
        for name, cache in (("decoded", ""), ("filled", "c"), ("from cache", "c")):
            cache = cache and f"{folder}/{cache}"
            run = common.child([__file__, "child", folder, cache])
            result[f"{name}: us per row"] = run["wall_us"]
            result[f"{name}: CPU us per row"] = run["cpu_us"]
    for kind in ("us", "CPU us"):
        decoded = result[f"decoded: {kind} per row"]
        result[f"times faster, {kind}"] = (
            decoded / result[f"from cache: {kind} per row"]
        )
    common.show(result, arguments.json)


if __name__ == "__main__":
    main()
