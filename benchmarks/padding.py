"""Ratio of padded to real frames of the spoken digits: one length, batches, buckets.

Needs the free-spoken-digit-dataset in `$MBM_DATA_DIR`. Goal: at most 1.2.
"""

import tempfile

import common
import numpy as np
import soundfile
import speech_table

from data_pipelines import Buckets
from data_pipelines import Order

HOP = 80  # samples between frames: a hundredth of a second


def main():
    """Counts the frames in the batches of an epoch, and those that are not padding."""
    arguments = common.options(__doc__, seed=(int, 0, "seed of the order"))
    with tempfile.TemporaryDirectory() as folder:
        samples = [
            soundfile.info(f"{folder}/{path}").frames
            for path in speech_table.recordings(folder)
        ]
    lengths = np.maximum(1, -(-np.array(samples) // HOP))
    budget = round(64 * lengths.mean())
    size, real = len(lengths), lengths.sum()
    shuffled = dict(shuffle=True, seed=arguments.seed)
    orders = {
        "batches of 64, shuffled": Order(size, 64, **shuffled),
        **{
            f"{n} buckets": Buckets(
                size, 256, lengths=lengths, max_steps=budget, buckets=n, **shuffled
            )
            for n in (4, 8, 16, 32)
        },
    }
    result = {
        "recordings": size,
        "budget, frames per batch": budget,
        "one length for all": float(lengths.max() * size / real),
    }
    for name, order in orders.items():
        padded = batches = 0
        for rows in order.epoch(0):
            padded += len(rows) * lengths[rows.numpy()].max()
            batches += 1
        result[name] = float(padded / real)
        result[f"{name}: batches"] = batches
    result["ratio by default"] = result["16 buckets"]
    common.show(result, arguments.json)


if __name__ == "__main__":
    main()
