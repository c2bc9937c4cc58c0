"""Single characters of Shakespeare: `text_decoder` against nanoGPT in PyTorch.

    python benchmarks/language_model.py --peer /path/to/a/python/with/torch

Both train on the first nine tenths of `tinyshakespeare` with the sizes and the recipe
that nanoGPT's readme gives for a CPU: 4 blocks, 4 heads, width 128, 64 characters of
context, 2,000 steps of 12 rows, AdamW, the step size along half a cosine after 100
steps. The loss is that of all of the last tenth, in blocks of 64 characters, in nats.
Then both write: ours from its cache, nanoGPT from the whole text for every character,
as its code does. Seconds are CPU seconds of the process, without imports and the first
steps, in which graphs are compiled. Goals: a loss of at most 1.88, and seconds per
character of at most the peer's, for training and for writing.
"""

import io
import os
import pathlib
import sys
import tarfile
import tempfile
import time

import common
import numpy as np

ROOT = pathlib.Path(__file__).parent
ROWS, CONTEXT, STEPS, WARM = 12, 64, 2_000, 50
WRITTEN = 60  # characters of each text, after a prompt of 4


def read_text():
    """Ids of all characters, from 1 on, and how many there are."""
    folder = os.environ.get("MBM_DATA_DIR")
    if not folder:
        raise SystemExit("Set MBM_DATA_DIR to the folder of tinyshakespeare.tar.gz.")
    path = pathlib.Path(folder) / "tinyshakespeare.tar.gz"
    with tarfile.open(path) as archive:
        texts = [x for x in archive.getmembers() if x.isfile() and x.size > 1e6]
        text = archive.extractfile(texts[0]).read().decode()
    letters = sorted(set(text))
    number = {letter: i + 1 for i, letter in enumerate(letters)}
    return np.array([number[x] for x in text], "int32"), len(letters)


def make_data(steps, seed=0):
    """Random blocks to learn from, all blocks to validate with, and prompts."""
    ids, size = read_text()
    train, valid = ids[: len(ids) * 9 // 10], ids[len(ids) * 9 // 10 :]
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, len(train) - CONTEXT - 1, steps * ROWS)
    blocks = train[starts[:, None] + np.arange(CONTEXT + 1)]
    count = (len(valid) - 1) // CONTEXT
    at = np.arange(count)[:, None] * CONTEXT + np.arange(CONTEXT + 1)
    prompts = valid[at[:64, :4]]
    return dict(train=blocks, valid=valid[at], prompts=prompts, size=size)


def ours(data, steps, rotary, jit=True):
    """Trains and writes with `text_decoder`."""
    import dataclasses

    import keras

    from mbm_keras.generation import Sampling
    from mbm_keras.models import text_decoder
    from mbm_keras.tasks.captioning import word_losses

    keras.utils.set_random_seed(0)
    preset = dict(text_decoder.PRESETS["nanogpt_cpu"].arguments)
    if rotary:
        preset["blocks"] = {**preset["blocks"], "num_positions": None}
    built = text_decoder.build(**preset)
    tokens = keras.Input((CONTEXT,), dtype="int32")
    model = keras.Model(tokens, text_decoder.decoder_of(built)(tokens))
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - 100, alpha=0.1, warmup_target=1e-3, warmup_steps=100
    )
    optimizer = keras.optimizers.AdamW(
        rate, weight_decay=0.1, beta_2=0.99, global_clipnorm=1.0
    )
    optimizer.exclude_from_weight_decay(var_names=["gamma"])

    def loss(y, logits):
        return keras.ops.mean(word_losses(y, logits), axis=-1)

    model.compile(optimizer, loss, jit_compile=jit, steps_per_execution=WARM)
    x, y = data["train"][:, :-1], data["train"][:, 1:]
    first, settings = WARM * ROWS, dict(batch_size=ROWS, shuffle=False, verbose=0)
    model.fit(x[:first], y[:first], **settings)  # compiles too
    begin = time.process_time()
    model.fit(x[first:], y[first:], **settings)
    seconds = time.process_time() - begin
    x, y = data["valid"][:, :-1], data["valid"][:, 1:]
    nats = model.evaluate(x, y, batch_size=128, verbose=0)

    task = dataclasses.replace(preset["task"], sequence_length=WRITTEN)
    result = {
        "loss": float(nats),
        "train_us_per_token": 1e6 * seconds / ((steps - WARM) * ROWS * CONTEXT),
    }
    for rows in (1, 64):
        writer = text_decoder.writer(
            built, dataclasses.replace(task, end=0), search=Sampling(),
            exclude=(0,), seed=0, prompt_length=4, after_start=False,
        )  # fmt: skip
        writer.compile(jit_compile=jit)
        prompts = data["prompts"][:rows]
        writer.predict_on_batch(prompts)  # compiles
        begin, times = time.process_time(), 256 // rows
        for _ in range(times):
            words = writer.predict_on_batch(prompts)["text"]
        seconds = time.process_time() - begin
        result[f"write_us_per_token_{rows}"] = (
            1e6 * seconds / (times * rows * words.shape[1])
        )
    return result


def run_ours(file, steps, rotary, jit):
    """`ours` in this process, for `main`."""
    import json

    data = dict(np.load(file))
    result = ours(data, int(steps), rotary == "1", jit == "1")
    print(json.dumps(result))


def main():
    """Trains both, and prints losses and seconds."""
    arguments = common.options(
        __doc__,
        peer=(str, "", "path of a Python that has PyTorch; without it ours alone"),
        steps=(int, STEPS, "steps of training"),
    )
    steps = min(arguments.steps, 200) if arguments.quick else arguments.steps
    result = {"steps": steps, "goal": 1.88}
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "data.npz"
        buffer = io.BytesIO()
        np.savez(buffer, **make_data(steps))
        file.write_bytes(buffer.getvalue())
        runs = {
            "ours": [__file__, "run", file, steps, 0, 1],
            "rotary": [__file__, "run", file, steps, 1, 1],
            "without_xla": [__file__, "run", file, steps, 0, 0],
        }
        for name, command in runs.items():
            found = common.child([str(x) for x in command])
            result |= {f"{name}_{key}": value for key, value in found.items()}
        if arguments.peer:
            command = [ROOT / "peer_nanogpt.py", file, steps]
            found = common.child([str(x) for x in command], arguments.peer)
            result |= {f"peer_{key}": value for key, value in found.items()}
    common.show(result, arguments.json)


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        run_ours(*sys.argv[2:])
    else:
        main()
