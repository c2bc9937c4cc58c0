"""CPU seconds and memory of `data_pipelines.align`, which joins three tables by key.

The tables are Parquet files in different order; each lacks a tenth of the keys. The
limit is polars alone: it reads and joins the same files without counting rows. Every
run is a Python process of its own; the seconds include its start. Goal for a million
keys: at most 3 CPU seconds and 400 MB.
"""

import itertools
import json
import resource
import sys
import tempfile

import common


def tables(folder, keys):
    """Writes three Parquet files."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(0)
    for name in ("text", "image", "audio"):
        kept = rng.permutation(keys)[: keys - keys // 10]
        ids = pl.Series("id", kept).cast(pl.String).str.zfill(9)
        cells = (pl.lit(f"{name}/") + pl.col("id")).alias(name)
        ids.to_frame().with_columns(cells).write_parquet(f"{folder}/{name}.parquet")


def ours(paths, how):
    """Joins the tables and counts every row."""
    from data_pipelines import align

    joined = align.by_key(paths, "id", how)
    return {"keys": joined.keys, "rows": len(joined.frame)}


def limit(paths, how):
    """Joins the tables with polars; counts nothing."""
    import polars as pl

    frame, *others = (pl.read_parquet(path) for path in paths.values())
    for other in others:
        polars_how = {"outer": "full"}.get(how, how)
        frame = frame.join(other, on="id", how=polars_how, coalesce=True)
    return {"rows": len(frame)}


def main():
    """Runs both in turn; as a child process, one of them."""
    if len(sys.argv) > 1 and sys.argv[1] in ("ours", "limit"):
        names = ("text", "image", "audio")
        paths = {name: f"{sys.argv[2]}/{name}.parquet" for name in names}
        result = {"ours": ours, "limit": limit}[sys.argv[1]](paths, sys.argv[3])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({**result, "megabytes": round(peak / 1024)}))
        return
    arguments = common.options(__doc__)
    keys, rounds = (100_000, 3) if arguments.quick else (1_000_000, 5)
    best = {}
    with tempfile.TemporaryDirectory() as folder:
        tables(folder, keys)
        for _ in range(rounds):
            for who, how in itertools.product(("ours", "limit"), ("inner", "outer")):
                run = common.child([__file__, who, folder, how])
                name = f"{how}_{who}"
                if name not in best or run["cpu_seconds"] < best[name]["cpu_seconds"]:
                    best[name] = run
    result = {f"{name}_{k}": v for name, run in best.items() for k, v in run.items()}
    for how in ("inner", "outer"):
        spent = [result[f"{how}_{who}_cpu_seconds"] for who in ("ours", "limit")]
        result[f"{how}_cpu_ratio"] = spent[0] / spent[1]
    common.show(result, arguments.json)


if __name__ == "__main__":
    main()
