"""Every model at its published size: built, counted, and trained for one step.

Each runs in a process of its own. This prints the trainable parameters, the published
number (the model's file says by how much and why the two differ), the seconds of
building and of one step of SGD, and the peak memory. Sequences are as long as in the
papers. A batch has 2 rows, for `mbt` and `looking_to_listen` 1. `--quick` skips models
of more than a hundred million parameters.
"""

import json
import resource
import sys
import time

import common
import numpy as np

from mbm_keras.inputs import teacher_name

PUBLISHED = {
    "tensor_fusion_network mosi": 18_243_411,
    "low_rank_fusion mosi": 229_763,
    "low_rank_fusion tfn_features": 237_347,
    "mult mosi": 1_071_211,
    "mult mosei": 1_073_731,
    "film clevr": 59_491_652,
    "mcan small": 57_812_491,
    "mcan large": 201_722_891,
    "perceiver_io readme": 28_636_548,
    "mbt audioset": 175_005_455,
    "show_attend_tell coco": 35_333_450,
    "show_attend_tell coco_hard": 35_333_450,
    "looking_to_listen one_speaker": 16_505_810,
    "looking_to_listen two_speakers": 17_633_924,
    "looking_to_listen three_speakers": 18_762_038,
    "looking_to_listen audio_only": 12_517_508,
}
GRID = 14 * 14  # regions of VGG-19
STEPS = {
    teacher_name("words"): 16,
    "text": 50,
    "audio": 375,
    "video": 500,
    "question": 14,
    "regions": 100,
}
LARGE = ("mcan large", "mbt audioset")


def train_step(which):
    """Builds one model, counts its parameters, and trains it for one step."""
    import keras

    from mbm_keras.models import ZOO

    name, preset = which.split()
    start = time.time()
    model = ZOO[name].build(**ZOO[name].PRESETS[preset].arguments)
    built = time.time() - start
    rng = np.random.default_rng(0)
    rows, inputs = 1 if name in ("mbt", "looking_to_listen") else 2, {}
    for tensor in model.inputs:
        steps = STEPS.get(tensor.name, 1_024)
        if name == "show_attend_tell" and tensor.name == "regions":
            steps = GRID
        shape = (rows, *(steps if n is None else n for n in tensor.shape[1:]))
        if "int" in tensor.dtype:
            inputs[tensor.name] = rng.integers(1, 90, shape).astype(tensor.dtype)
        else:
            inputs[tensor.name] = rng.standard_normal(shape, dtype="float32")
    targets = {k: np.zeros(y.shape, "f4") for k, y in model(inputs).items()}
    model.compile(keras.optimizers.SGD(1e-3), "mse", jit_compile=False)
    start = time.time()
    loss = float(model.train_on_batch(inputs, targets))
    if not np.isfinite(loss):
        raise SystemExit(f"Expected a finite loss. Received: {which}={loss}.")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "parameters": sum(int(np.prod(w.shape)) for w in model.trainable_weights),
        "build seconds": round(built, 1),
        "step seconds": round(time.time() - start, 1),
        "GB": round(peak, 2),
    }


def main():
    """Runs one process per model."""
    arguments = common.options(__doc__, only=(str, None, "a model and its preset"))
    if arguments.only:
        print(json.dumps(train_step(arguments.only)))
        return
    result = {}
    for which, published in PUBLISHED.items():
        if not (arguments.quick and which in LARGE):
            found = common.child([sys.argv[0], "--only", which])
            more = found["parameters"] - published
            result[which] = {**found, "published": published, "more": more}
    common.show(result, arguments.json)


if __name__ == "__main__":
    main()
