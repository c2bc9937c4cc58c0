"""A served request: raw values to answers, ours against a graph written by hand.

A row is a sentence of ten words, a JPEG, and a WAV of a second at 16 kHz for a log-mel
of 98 x 64. The JPEG is "small", 160 x 120 pixels for 64 x 64, with the small towers of
`mbm train`; or a "photo", 500 x 375 pixels for 224 x 224, with the default towers. The
graph by hand has the bare TensorFlow operations and the same network: an absent or
corrupt value fails its request. Ours answers it. Both are SavedModels, loaded into one
process without Keras, with one thread setting; requests alternate. Goal: at most 1.5
times the graph by hand for a request of one row, 1.3 times for 32 rows.
"""

import functools
import io
import json
import pathlib
import statistics
import sys
import tempfile
import time

import common

RATE, WINDOW, STEP, FFT, BINS, WORDS = 16_000, 400, 160, 512, 64, 10
VOCABULARY = [f"word{i}" for i in range(1_000)]
PICTURES = {"small": (160, 120, 64), "photo": (500, 375, 224)}
SIDES = ("by hand", "ours")
ROWS = 64  # different ones


def by_hand(tf, model, size):
    """A `tf.Module` whose `serve` decodes without any check."""
    mel = tf.signal.linear_to_mel_weight_matrix(
        BINS, FFT // 2 + 1, RATE, 20.0, RATE / 2
    )
    words = tf.constant(VOCABULARY)
    ids = tf.range(2, 2 + len(VOCABULARY))
    pairs = tf.lookup.KeyValueTensorInitializer(words, ids)
    module = tf.Module()
    module.table = tf.lookup.StaticHashTable(pairs, default_value=1)
    module.model = model
    names = [tensor.name for tensor in model.inputs]
    spec = tf.TensorSpec((None,), tf.string)

    def pixels(encoded):
        image = tf.io.decode_jpeg(encoded, 3)
        image = tf.image.resize(image, (size, size), "area")
        return tf.cast(tf.round(image), tf.uint8)

    def wave(encoded):
        return tf.audio.decode_wav(encoded, 1, RATE)[0][:, 0]

    @tf.function(input_signature=[spec] * 3, autograph=False)
    def serve(text, photo, voice):
        text = tf.strings.lower(text, encoding="utf-8")
        text = tf.strings.regex_replace(text, r"[\p{P}\p{S}]", " ")
        text = tf.strings.split(text)
        text = tf.ragged.map_flat_values(module.table.lookup, text)
        image = tf.map_fn(
            pixels,
            photo,
            fn_output_signature=tf.TensorSpec((size, size, 3), tf.uint8),
        )
        waves = tf.map_fn(
            wave, voice, fn_output_signature=tf.TensorSpec((RATE,), tf.float32)
        )
        spectrum = tf.signal.stft(waves, WINDOW, STEP, FFT)  # (batch, 98, 257)
        power = tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))
        inputs = {
            "text": text.to_tensor(shape=(None, WORDS)),  # (batch, 10)
            "photo": image,  # (batch, size, size, 3)
            "voice": tf.math.log(power @ mel + 1e-6),  # (batch, 98, 64)
            "present": tf.ones((tf.shape(photo)[0], 3), tf.bool),
        }
        logits = model([inputs[name] for name in names])["answer"]
        return {
            "answer": tf.argmax(logits, -1),
            "answer_probabilities": tf.nn.softmax(logits),
        }

    module.serve = serve
    return module


def small_towers():
    """Those that `mbm train` gives pictures of 64 x 64 and sounds."""
    from mbm_keras.towers import audio_cnn
    from mbm_keras.towers import image_cnn

    filters = (16, 32, 64, 128, 128)
    return {
        "photo": functools.partial(image_cnn.build, filters=filters),
        "voice": functools.partial(audio_cnn.build, filters=(16, 32, 64)),
    }


def write(folder, picture):
    """Both SavedModels of one size of picture."""
    import tensorflow as tf

    from mbm_keras import export
    from mbm_keras.models import late_fusion
    from mbm_keras.preprocessing import Features
    from mbm_keras.preprocessing import Label
    from mbm_keras.preprocessing import LogMel
    from mbm_keras.preprocessing import Pixels
    from mbm_keras.preprocessing import WordIds
    from mbm_keras.tasks import Classification

    size = PICTURES[picture][-1]
    features = Features(
        text=WordIds(WORDS, VOCABULARY),
        photo=Pixels(size),
        voice=LogMel(RATE, 1.0, BINS),
    )
    model = late_fusion.build(
        inputs=features.inputs(),
        task=Classification(10, name="answer"),
        towers=small_towers() if picture == "small" else None,
    )
    labels = {"answer": Label([f"label{i}" for i in range(10)])}
    export.save(model, features, f"{folder}/{picture}/ours", targets=labels)
    module = by_hand(tf, model, size)
    tf.saved_model.save(
        module,
        f"{folder}/{picture}/by hand",
        signatures={"serving_default": module.serve},
    )


def columns_of(picture):
    """Raw values by column. A picture is noise of several grains, like a photograph."""
    import numpy as np
    import soundfile
    from PIL import Image
    from PIL import ImageFilter

    rng = np.random.default_rng(0)
    *size, _ = PICTURES[picture]
    columns = {"text": [], "photo": [], "voice": []}
    for _ in range(ROWS):
        coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), "uint8"))
        fine = Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), "uint8"))
        photo = Image.blend(
            coarse.resize(size, Image.BICUBIC),
            fine.filter(ImageFilter.GaussianBlur(1)),
            0.5,
        )
        jpeg, wav = io.BytesIO(), io.BytesIO()
        photo.save(jpeg, "JPEG", quality=90)
        soundfile.write(wav, rng.uniform(-0.5, 0.5, RATE), RATE, format="WAV")
        words = " ".join(f"word{n}" for n in rng.integers(0, 1_000, WORDS))
        columns["text"].append(words.encode())
        columns["photo"].append(jpeg.getvalue())
        columns["voice"].append(wav.getvalue())
    return columns


def measure(folder, picture, quick):
    """Prints wall and CPU seconds of every request, by rows and side."""
    import numpy as np
    import tensorflow as tf

    path = pathlib.Path(folder, picture)
    loaded = {side: tf.saved_model.load(str(path / side)) for side in SIDES}
    serve = {side: x.signatures["serving_default"] for side, x in loaded.items()}
    columns = columns_of(picture)
    small = picture == "small"
    counts = {1: 2_000 if small else 600, 32: 200 if small else 50}
    seen = {}
    for rows, count in counts.items():
        count = count // 4 if quick else count
        asked = [
            {name: tf.constant(x[start : start + rows]) for name, x in columns.items()}
            for start in range(0, ROWS, rows)
        ]
        for i in range(-max(10, count // 20), count):  # the first ones warm up
            answers = {}
            for side in SIDES if i % 2 else SIDES[::-1]:
                wall, cpu = time.perf_counter(), time.process_time()
                answer = serve[side](**asked[i % len(asked)])
                answers[side] = answer["answer_probabilities"].numpy()
                cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
                if i >= 0:
                    seen.setdefault(f"{rows} {side}", []).append((wall, cpu))
            np.testing.assert_allclose(answers["ours"], answers["by hand"], atol=1e-4)
    print(json.dumps(seen))


def main():
    """Writes the SavedModels, measures them in a fresh process, prints the ratios."""
    if sys.argv[1:2] == ["child"]:
        _, _, folder, picture, quick = sys.argv
        return measure(folder, picture, quick == "quick")
    arguments = common.options(__doc__)
    quick = "quick" if arguments.quick else "full"
    result = {}
    with tempfile.TemporaryDirectory() as folder:
        for picture in PICTURES:
            write(folder, picture)
            seen = common.child([__file__, "child", folder, picture, quick])
            for rows in (1, 32):
                figures = {
                    side: summary(seen[f"{rows} {side}"], f"{picture}, {rows} rows")
                    for side in SIDES
                }
                for side, values in figures.items():
                    result |= {f"{k}, {side}": value for k, value in values.items()}
                for name, value in figures["ours"].items():
                    result[f"{name}, ratio"] = value / figures["by hand"][name]
    common.show(result, arguments.json)


def summary(requests, name):
    """Median, 99th percentile, and mean processor time of requests."""
    wall, cpu = zip(*requests, strict=True)
    return {
        f"{name}: p50 ms": 1e3 * statistics.median(wall),
        f"{name}: p99 ms": 1e3 * statistics.quantiles(wall, n=100)[-1],
        f"{name}: CPU ms": 1e3 * statistics.mean(cpu),
    }


if __name__ == "__main__":
    main()
