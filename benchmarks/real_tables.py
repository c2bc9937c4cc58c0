"""`mbm train` without options on real tables, and plain baselines on the same rows.

For each table and seed: the first metric of the model on the test rows with its 95 %
interval, that of its best single input, that of the best plain baseline (scikit-learn,
in the same run on the same split), the interval of the lead over it (above 0 where the
model is better), and CPU seconds of the whole command. `--part emodb` runs one table;
with `--out`, what is in the file is not computed again.
"""

import json
import pathlib
import tempfile

import common
import real_data

from mbm_keras.runs.baselines import best

QUICK = ("emodb", "houses")


def main():
    """Runs what is not in the file yet, and prints all of it."""
    arguments = common.options(
        __doc__,
        seeds=(int, 3, "number of seeds"),
        part=(str, None, "name of one table"),
        out=(str, None, "JSON file of results"),
    )
    names = [arguments.part] if arguments.part else list(real_data.TABLES)
    seeds = range(arguments.seeds)
    if arguments.quick:
        names, seeds = [name for name in names if name in QUICK], range(1)
    out = pathlib.Path(arguments.out) if arguments.out else None
    results = json.loads(out.read_text()) if out and out.exists() else {}
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            path, target, options = real_data.TABLES[name](pathlib.Path(folder))
            for seed in seeds:
                if f"{name}, seed {seed}" in results:
                    continue
                command = ["-m", "mbm_keras.cli", "train", path, "--target", target]
                command += ["--out", f"{folder}/run-{seed}", "--seed", str(seed)]
                run = common.child([*command, *options, "--json"])
                results[f"{name}, seed {seed}"] = summarize(run)
                if out:
                    out.write_text(json.dumps(results, indent=1))
    common.show(results, arguments.json)


def summarize(run):
    """Of the result of a run, what the table shows.

    Args:
        run: What `mbm train --json` printed.
    """
    metric = run["metric"]
    split = "test" if "test" in run["splits"] else "valid"
    single = [row for row in run["subsets"] if len(row["inputs"]) == 1]
    floor, part = best(run["baselines"], metric), best(single, metric)
    lead = floor.get("difference")
    if lead and metric in ("mae", "rmse"):
        lead = [-lead[1], -lead[0]]
    return {
        "metric": metric,
        "rows": run["splits"][split]["rows"],
        "ours": run["splits"][split][metric],
        "interval": run["interval"],
        "members": run["members"],
        "best_single_input": part and part[metric],
        "baseline": floor[metric],
        "baseline_name": f"{' + '.join(floor['inputs'])}: {floor['name']}",
        "lead": lead,
        "cpu_seconds": run["cpu_seconds"],
    }


if __name__ == "__main__":
    main()
