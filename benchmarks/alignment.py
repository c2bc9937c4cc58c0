"""Three tables joined by key: CPU-seconds and memory of `data_pipelines.align`.

The tables lie in Parquet files, in different order, each without a tenth of the keys.
The limit is polars alone: the same files read and joined with nothing counted. Every
run is a Python of its own; the seconds include its start. Goal, for a million keys:
at most 3 CPU-seconds and 400 MB.
"""

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
        mine = rng.permutation(keys)[: keys - keys // 10]
        ids = pl.Series("id", mine).cast(pl.String).str.zfill(9)
        cells = (pl.lit(f"{name}/") + pl.col("id")).alias(name)
        ids.to_frame().with_columns(cells).write_parquet(f"{folder}/{name}.parquet")


def ours(paths):
    """Joined, and every row accounted for."""
    from data_pipelines import align

    joined = align.by_key(paths, "id", "outer")
    return {"keys": joined.keys, "matched": joined.matched}


def limit(paths):
    """Joined by polars, nothing counted."""
    import polars as pl

    frame, *others = (pl.read_parquet(path) for path in paths.values())
    for other in others:
        frame = frame.join(other, on="id", how="full", coalesce=True)
    return {"keys": len(frame)}


def main():
    """Runs both in turn, or one of them as a child."""
    if len(sys.argv) > 1 and sys.argv[1] in ("ours", "limit"):
        names = ("text", "image", "audio")
        paths = {name: f"{sys.argv[2]}/{name}.parquet" for name in names}
        result = {"ours": ours, "limit": limit}[sys.argv[1]](paths)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({**result, "megabytes": round(peak / 1024)}))
        return
    arguments = common.options(__doc__)
    keys, rounds = (100_000, 3) if arguments.quick else (1_000_000, 5)
    best = {}
    with tempfile.TemporaryDirectory() as folder:
        tables(folder, keys)
        for _ in range(rounds):
            for who in ("ours", "limit"):
                run = common.child([__file__, who, folder])
                if who not in best or run["cpu_seconds"] < best[who]["cpu_seconds"]:
                    best[who] = run
    result = {f"{who}_{k}": v for who, run in best.items() for k, v in run.items()}
    result["cpu_ratio"] = best["ours"]["cpu_seconds"] / best["limit"]["cpu_seconds"]
    common.show(result, arguments.json)


if __name__ == "__main__":
    main()
