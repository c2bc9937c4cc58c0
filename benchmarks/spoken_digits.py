"""Spoken digits with `mbm`: train on four speakers, test on the fifth, in turn.

Needs the free-spoken-digit-dataset in `$MBM_DATA_DIR`. There is no published figure for
this split; the official one mixes the speakers.
"""

import pathlib
import tempfile

import common
import polars as pl
import speech_table


def main():
    """Runs `mbm train` and `mbm evaluate` once per speaker."""
    arguments = common.options(__doc__, seed=(int, 0, "seed of training"))
    mbm = ["-m", "mbm_keras.cli"]
    result, cpu = {"seed": arguments.seed}, 0.0
    with tempfile.TemporaryDirectory() as folder:
        paths = speech_table.recordings(folder)
        names = [pathlib.Path(path).stem.split("_") for path in paths]
        frame = pl.DataFrame(
            {
                "speech": paths,
                "speaker": [speaker for _, speaker, _ in names],
                "digit": [digit for digit, _, _ in names],
            }
        )
        speakers = sorted(frame["speaker"].unique())
        for speaker in speakers[:1] if arguments.quick else speakers:
            held_out = pl.col("speaker") == speaker
            frame.filter(~held_out).write_csv(f"{folder}/train.csv")
            frame.filter(held_out).write_csv(f"{folder}/test.csv")
            run = f"{folder}/run-{speaker}"
            seed = str(arguments.seed)
            train = [*mbm, "train", f"{folder}/train.csv", "--target", "digit"]
            train_run = common.child(
                [*train, "--group", "speaker", "--out", run, "--seed", seed, "--json"]
            )
            test_run = common.child(
                [*mbm, "evaluate", run, f"{folder}/test.csv", "--json"]
            )
            result[speaker] = test_run["accuracy"]
            cpu += train_run["cpu_seconds"] + test_run["cpu_seconds"]
        accuracies = [result[name] for name in speakers if name in result]
    result["mean"] = sum(accuracies) / len(accuracies)
    result["cpu_seconds"] = round(cpu, 1)
    common.show(result, arguments.json)


if __name__ == "__main__":
    main()
