"""Show, Attend and Tell on shapes and scenes, with soft and with hard attention.

Images of 64 x 64 with one to three objects, five captions each. The split `unseen` has
colors on shapes that training never shows together. The parts are trained one after the
other, as in the paper. First a tower of four convolutions learns to name the shapes and
the colors of an image from its regions; one of them has a stride of 1, so that a region
sees 23 pixels and a whole object in them. Half of the images get other colors and count
for shapes alone, so that shapes do not depend on colors. Then the 8 x 8 regions, each
with its position, are computed once, and an LSTM of 128 units learns to write from
them. A fifth of the earlier words is hidden, so that it looks at the image. There is no
doubly stochastic penalty, which demands equal attention to 64 regions within a dozen
words.

    tower        share of the images whose shapes and colors are all named
    scores       BLEU, ROUGE-L, CIDEr-D against five references, greedy and beam search
    inside       share of the nouns whose attention, blurred by 1.25 cells as in the
                 paper's figures, is highest inside the box of the named object; and
                 the share of the best cells whose middle is inside, and the share of
                 the image that boxes cover, which is chance
    combinations share of the objects with unseen combinations that are named right
    objects      share of the captions that name every object with its color
    speed        captions per second, one compiled loop against steps called from Python

Goals: inside 0.90, combinations 0.85. Published, on other data: BLEU-4 24.3 and 25.0
(soft, hard) on COCO. With `--out`, results that the file has are not computed again.
"""

import json
import math
import pathlib
import time

import common
import numpy as np

SIZE, WIDTH, WORD_WIDTH, UNITS = 64, 64, 64, 128
FILTERS, STRIDES = (24, 48, 64, 96), (2, 2, 1, 2)
BATCH, SEED, RECOLORED = 128, 0, 0.5
SIDE = SIZE // math.prod(STRIDES)
# Middle of what a region sees, as a share of the image: of its 8 pixels, these four
# convolutions see 4 to the left and 11 to the right.
MIDDLES = (np.arange(SIDE) * SIZE / SIDE + 7.5) / SIZE
BLUR = 1.25 / SIDE  # as in the figures of the authors


def load_scenes(rows):
    """By split: examples, pixels `(rows, 64, 64, 3)`, ids `(rows, 5, length)`."""
    import tensorflow as tf

    from data_pipelines.datasets import scenes
    from mbm_keras.preprocessing import Caption
    from mbm_keras.preprocessing import Pixels

    made = list(scenes.examples(rows=rows, seed=SEED))
    caption, pixels = Caption(), Pixels(SIZE)
    caption.adapt([c for e in made if e["split"] == "train" for c in e["captions"]])
    decode = tf.function(lambda x: pixels.decode(x)[0], autograph=False)
    splits = {}
    for split in scenes.SHARES:
        part = [e for e in made if e["split"] == split]
        images = [
            decode(tf.constant([e["image"] for e in part[i : i + 256]])).numpy()
            for i in range(0, len(part), 256)
        ]
        ids = caption.encode([c for e in part for c in e["captions"]])
        if not caption.known(ids).all():
            raise SystemExit(f"{split}: a caption is longer than those of training")
        ids = ids.reshape(len(part), -1, ids.shape[-1])
        splits[split] = part, np.concatenate(images), ids
    return caption, splits


def names():
    """What the tower names: shapes, then colors."""
    from data_pipelines.datasets import scenes

    return [*scenes.SHAPES, *scenes.COLORS]


def labels_of(examples):
    """`(rows, names)` float32, 1 for what is in the image."""
    shown = [{w for t in e["things"] for w in (t.shape, t.color)} for e in examples]
    return np.array([[w in words for w in names()] for words in shown], "float32")


def train_tower(splits, epochs):
    """A tower whose regions name shapes and colors, and how well."""
    import keras
    import tensorflow as tf

    from data_pipelines import augment
    from data_pipelines.batching import row_random
    from data_pipelines.batching.order import Order
    from data_pipelines.datasets import scenes
    from mbm_keras.towers import image_cnn

    keras.utils.set_random_seed(SEED)
    tower = image_cnn.build(
        SIZE, filters=FILTERS, strides=STRIDES, width=WIDTH, pool=False
    )
    words = keras.layers.Dense(len(names()))(tower.output)
    words = keras.layers.GlobalMaxPooling1D()(words)
    shapes, colors = words[:, : len(scenes.SHAPES)], words[:, len(scenes.SHAPES) :]
    outputs = {"shapes": shapes, "colors": colors}
    model = keras.Model(tower.input, outputs)
    examples, images, _ = splits["train"]
    order = Order(len(images), 64, shuffle=True, seed=SEED)
    steps = order.num_batches * epochs
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(4e-3, steps)),
        {n: keras.losses.BinaryCrossentropy(from_logits=True) for n in outputs},
        jit_compile=False,
        steps_per_execution=8,
    )
    images, labels = tf.constant(images), tf.constant(labels_of(examples))
    mix_channels = augment.channels()

    def gather(epoch, rows):
        image, label = tf.gather(images, rows), tf.gather(labels, rows)
        keys = row_random.keys(SEED, epoch, rows)
        recolor = row_random.uniform(row_random.fold_in(keys, 1), 1)[:, 0] < RECOLORED
        image = tf.where(recolor[:, None, None, None], mix_channels(image, keys), image)
        targets = {"shapes": label[:, : len(scenes.SHAPES)]}
        targets["colors"] = label[:, len(scenes.SHAPES) :]
        weights = {"shapes": tf.ones_like(recolor), "colors": ~recolor}
        return image, targets, {n: tf.cast(w, "float32") for n, w in weights.items()}

    start = time.process_time()
    model.fit(order.passes().map(gather).prefetch(2), epochs=epochs, verbose=0)
    result = {"CPU seconds": time.process_time() - start, "steps": steps}
    for split in ("test", "unseen"):
        examples, images, _ = splits[split]
        answers = model.predict(images, batch_size=256, verbose=0)
        named = np.concatenate([answers["shapes"], answers["colors"]], axis=1) > 0
        result[split] = float(np.mean((named == labels_of(examples)).all(axis=1)))
    return tower, result


def regions_of(tower, images):
    """Regions, and for each its position: `(rows, regions, width + 2)`."""
    regions = tower.predict(images, batch_size=256, verbose=0)
    axis = np.linspace(-1, 1, SIDE, dtype="float32")
    positions = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    positions = np.tile(positions.reshape(1, -1, 2), (len(images), 1, 1))
    return np.concatenate([regions, positions], axis=-1)


def batches_of(task, regions, ids):
    """Captions of similar length with the regions of their images.

    Returns:
        A dataset; rows are shuffled anew in every epoch.
    """
    import tensorflow as tf

    from data_pipelines.batching.buckets import Buckets

    several, length = ids.shape[1:]
    ids = ids.reshape(-1, length)
    lengths = (ids > 0).sum(axis=1)
    order = Buckets(
        len(ids), BATCH, True, SEED, lengths=lengths, max_steps=BATCH * length
    )
    ids, lengths = tf.constant(ids), tf.constant(lengths)
    regions = tf.constant(regions)

    def batch(_, rows):
        longest = tf.reduce_max(tf.gather(lengths, rows))
        words = tf.gather(ids, rows)[:, :longest]
        image = tf.gather(regions, rows // several)
        return task.feed({"regions": image}, {"words": words})

    return order.passes().map(batch).prefetch(2)


def train(task, split, hard, epochs):
    """A model, and the cost of its training."""
    import keras

    from mbm_keras.inputs import InputSpec
    from mbm_keras.models import show_attend_tell

    _, regions, ids = split
    keras.utils.set_random_seed(SEED)
    width = regions.shape[-1]
    model = show_attend_tell.build(
        inputs=[InputSpec("regions", "sequence", dict(size=width))],
        task=task,
        width=width,
        word_width=WORD_WIDTH,
        units=UNITS,
        attention=show_attend_tell.Attention(hard=hard, penalty=0.0),
        dropout=0.3,
        word_dropout=0.2,
        seed=SEED,
    )
    batches = batches_of(task, regions, ids)
    steps = int(batches.cardinality())
    rate = keras.optimizers.schedules.CosineDecay(4e-3, steps * epochs)
    model.compile(
        keras.optimizers.Adam(rate, global_clipnorm=5.0),
        {"words": task.loss()},
        metrics={"words": task.metrics()},
        steps_per_execution=8,
    )
    start = time.process_time()
    history = model.fit(batches, epochs=epochs, verbose=0).history
    return model, {
        "CPU seconds": time.process_time() - start,
        "steps": steps * epochs,
        "perplexity": history["perplexity"][-1],
    }


def texts_of(caption, ids):
    """The captions of ids, a string each."""
    return [s.decode() for s in caption.decode(ids, "words")["words"].numpy()]


def score(model, task, caption, split):
    """Every figure of one split."""
    from data_pipelines.datasets import scenes
    from mbm_keras.generation import BeamSearch
    from mbm_keras.metrics import caption_scores
    from mbm_keras.models import show_attend_tell

    examples, regions, _ = split
    references = [e["captions"] for e in examples]
    attention, result = show_attend_tell.attention_model(model), {}
    for name, num_beams in (("greedy", 1), ("5 beams", 5)):
        search = BeamSearch(num_beams)
        captioner = show_attend_tell.captioner(model, task, search=search)
        ids = captioner.predict({"regions": regions}, 200, verbose=0)["words"]
        captions = texts_of(caption, ids)
        x, _ = task.feed({"regions": regions}, {"words": ids})
        alphas = attention.predict(x, 200, verbose=0)["attention"]
        inside, cells, chance, combinations, objects = [], [], [], [], []
        for example, text, alpha in zip(examples, captions, alphas, strict=True):
            by_shape = {thing.shape: thing for thing in example["things"]}
            words = text.split()
            pairs = set(zip(words, words[1:], strict=False))
            right = [(t.color, t.shape) in pairs for t in example["things"]]
            named = sorted(word for word in words if word in scenes.SHAPES)
            objects.append(all(right) and named == sorted(by_shape))
            for thing, is_right in zip(example["things"], right, strict=True):
                if (thing.color, thing.shape) in scenes.UNSEEN:
                    combinations.append(is_right)
            for word, row in zip(words, alpha, strict=False):
                if word in by_shape:
                    top, left, bottom, end = box = by_shape[word].box
                    inside.append(contains(box, *peak(row)))
                    y, x = divmod(int(np.argmax(row)), SIDE)
                    cells.append(contains(box, MIDDLES[y], MIDDLES[x]))
                    chance.append((bottom - top) * (end - left))
        result[name] = {
            **caption_scores(captions, references),
            "inside": mean(inside),
            "best cell inside": mean(cells),
            "inside by chance": mean(chance),
            "objects": mean(objects),
            "combinations": mean(combinations),
        }
    return result


def mean(values):
    """The mean, None for no values."""
    return float(np.mean(values)) if values else None


def peak(row):
    """Where the blurred attention is highest, as shares of height and width."""
    axis = (np.arange(SIZE) + 0.5) / SIZE
    blur = np.exp(-((axis[:, None] - MIDDLES) ** 2) / (2 * BLUR**2))  # (pixels, SIDE)
    blurred = blur @ row.reshape(SIDE, SIDE) @ blur.T
    y, x = np.unravel_index(np.argmax(blurred), blurred.shape)
    return axis[y], axis[x]


def contains(box, y, x):
    """Whether a box contains a point."""
    top, left, bottom, right = box
    return top <= y <= bottom and left <= x <= right


def measure_speed(model, task, regions):
    """Captions per second: one compiled loop, and the same steps called from Python."""
    import keras

    from mbm_keras.generation import Decoder
    from mbm_keras.models import show_attend_tell

    captioner = show_attend_tell.captioner(model, task)
    (decoder,) = (layer for layer in model.layers if isinstance(layer, Decoder))
    length = task.sequence_length

    def by_python():
        state, context = decoder.begin(keras.ops.convert_to_tensor(regions))
        token = np.zeros(len(regions), "int32")
        tokens, ended = [], np.zeros(len(regions), bool)
        while len(tokens) < length and not ended.all():
            logits, state = decoder.step(token, state, context)
            logits = keras.ops.convert_to_numpy(logits).copy()
            logits[:, :2] = -np.inf
            token = np.where(ended, 0, logits.argmax(axis=-1)).astype("int32")
            ended |= token == task.end
            tokens.append(token)
        return np.pad(np.stack(tokens, 1), [[0, 0], [0, length - len(tokens)]])

    def run_compiled():
        return captioner.predict_on_batch({"regions": regions})["words"]

    same = float(np.mean(run_compiled() == by_python()))
    seconds = {"compiled": [], "by Python": []}
    for _ in range(7):  # in turn
        for name, run in (("compiled", run_compiled), ("by Python", by_python)):
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    rates = {name: len(regions) / min(each) for name, each in seconds.items()}
    ratio = rates["compiled"] / rates["by Python"]
    return {**rates, "ratio": ratio, "words that agree": same}


def main():
    """Trains both kinds of attention, and keeps every figure as soon as it is known."""
    from mbm_keras.tasks import task_for

    arguments = common.options(
        __doc__,
        out=(str, None, "JSON file to continue"),
        epochs=(int, None, "passes over all captions"),
    )
    rows, tower_epochs, epochs = (4_000, 24, 6) if arguments.quick else (24_000, 12, 10)
    epochs = arguments.epochs or epochs
    out = pathlib.Path(arguments.out) if arguments.out else None
    result = json.loads(out.read_text()) if out and out.exists() else {}
    result |= {"seed": SEED, "scenes": rows}
    missing = [name for name in ("soft", "hard") if name not in result]
    if missing:
        caption, splits = load_scenes(rows)
        task = task_for("words", caption)
        tower, result["tower"] = train_tower(splits, tower_epochs)
        splits = {
            name: (examples, regions_of(tower, images), ids)
            for name, (examples, images, ids) in splits.items()
        }
    for name in missing:
        model, cost = train(task, splits["train"], name == "hard", epochs)
        result[name] = {
            **cost,
            "test": score(model, task, caption, splits["test"]),
            "unseen": score(model, task, caption, splits["unseen"]),
        }
        if name == "soft":
            for size in (1, 64):
                regions = splits["test"][1][:size]
                speed = measure_speed(model, task, regions)
                result[f"speed, {size} at once"] = speed
        if out:
            out.write_text(json.dumps(result))
            model.save(out.with_name(f"captions_{name}.keras"))
    common.show(result, arguments.json)


if __name__ == "__main__":
    main()
