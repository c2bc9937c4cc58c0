"""Show, Attend and Tell on shapes and scenes, soft and hard.

Pictures of 64 x 64 with one to three objects, five captions each; the split `unseen`
shows colours on shapes that training never showed together. Each part is trained on its
own, as the paper does. First a tower of four convolutions, to tell the shapes and the
colours of a picture, region by region; one of them has a stride of 1, so that a region
sees 23 pixels and a whole object with them. Half of the pictures it is shown in other
colours and asked for shapes alone, so that these do not depend on colours. Then its
8 x 8 regions, each with its place, are computed once, and an LSTM of 128 learns to
write from them. It is not shown a fifth of the words before, so that it looks; it has
no doubly stochastic penalty, which wants 64 places looked at for a dozen words.

    tower        the share of pictures of which it tells every shape and every colour
    scores       BLEU, ROUGE-L, CIDEr-D against five references, greedy and by beams
    inside       share of the nouns whose attention, drawn as the paper draws it
                 (blurred by 1.25 cells), is highest inside the box of the named
                 object; beside it the share of the best cells whose middle is there,
                 and the share of the picture that boxes take, which chance would hit
    combinations share of the objects of held-out combinations named right
    objects      share of the captions that name every object, in its colour
    speed        captions per second, one compiled loop against steps called by Python

Goals: inside 0.90, combinations 0.85. Published, of other data: BLEU-4 24.3 and 25.0
(soft, hard) on COCO. With `--out` what is already there is not computed again.
"""

import json
import math
import pathlib
import time

import common
import numpy as np

SIZE, WIDTH, WORD_WIDTH, UNITS = 64, 64, 64, 128
FILTERS, STRIDES = (24, 48, 64, 96), (2, 2, 1, 2)
BATCH, SEED, RECOLOURED = 128, 0, 0.5
SIDE = SIZE // math.prod(STRIDES)
# Middle of what a region sees, as a share of the picture: of its 8 pixels these four
# convolutions see 4 to the left and 11 to the right.
MIDDLES = (np.arange(SIDE) * SIZE / SIDE + 7.5) / SIZE
BLUR = 1.25 / SIDE  # as in the authors' drawings


def pictures_and_captions(rows):
    """By split: examples, pixels `(rows, 64, 64, 3)`, ids `(rows, 5, length)`."""
    import tensorflow as tf

    from data_pipelines.datasets import scenes
    from mbm_keras.preprocessing import Caption
    from mbm_keras.preprocessing import Features
    from mbm_keras.preprocessing import Pixels

    made = list(scenes.examples(rows=rows, seed=SEED))
    caption, features = Caption(), Features(image=Pixels(SIZE))
    told = [c for e in made if e["split"] == "train" for c in e["captions"]]
    caption.adapt(told)
    decode = tf.function(
        lambda x: features.decode_input("image", x)[0], autograph=False
    )
    splits = {}
    for split in scenes.SHARES:
        part = [e for e in made if e["split"] == split]
        images = [
            decode(tf.constant([e["image"] for e in part[i : i + 256]])).numpy()
            for i in range(0, len(part), 256)
        ]
        ids = caption.encode([c for e in part for c in e["captions"]])
        if not caption.known(ids).all():
            raise SystemExit(f"{split}: a caption is longer than any of training")
        ids = ids.reshape(len(part), -1, caption.ids.sequence_length)
        splits[split] = part, np.concatenate(images), ids
    return caption, splits


def told_words():
    """What the tower is asked for: shapes, then colours."""
    from data_pipelines.datasets import scenes

    return [*scenes.SHAPES, *scenes.COLORS]


def labels_of(examples):
    """`(rows, words)` float32, 1 for what is in the picture."""
    there = [{w for t in e["things"] for w in (t.shape, t.color)} for e in examples]
    return np.array([[w in words for w in told_words()] for words in there], "float32")


def tower_trained(splits, epochs):
    """A tower whose regions tell shapes and colours, and how well."""
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
    words = keras.layers.Dense(len(told_words()))(tower.output)
    words = keras.layers.GlobalMaxPooling1D()(words)
    shapes, colours = words[:, : len(scenes.SHAPES)], words[:, len(scenes.SHAPES) :]
    outputs = {"shapes": shapes, "colours": colours}
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
    mixed = augment.channels()

    def asked(epoch, rows):
        image, label = tf.gather(images, rows), tf.gather(labels, rows)
        keys = row_random.keys(SEED, epoch, rows)
        other = row_random.uniform(row_random.fold_in(keys, 1), 1)[:, 0] < RECOLOURED
        image = tf.where(other[:, None, None, None], mixed(image, keys), image)
        parts = {"shapes": label[:, : len(scenes.SHAPES)]}
        parts["colours"] = label[:, len(scenes.SHAPES) :]
        counts = {"shapes": tf.ones_like(other), "colours": ~other}
        return image, parts, {n: tf.cast(c, "float32") for n, c in counts.items()}

    start = time.process_time()
    model.fit(order.passes().map(asked).prefetch(2), epochs=epochs, verbose=0)
    found = {"CPU seconds": time.process_time() - start, "steps": steps}
    for split in ("test", "unseen"):
        examples, images, _ = splits[split]
        said = model.predict(images, batch_size=256, verbose=0)
        said = np.concatenate([said["shapes"], said["colours"]], axis=1) > 0
        found[split] = float(np.mean((said == labels_of(examples)).all(axis=1)))
    return tower, found


def with_places(tower, images):
    """Regions as the tower gives them, and beside them where they are."""
    regions = tower.predict(images, batch_size=256, verbose=0)
    place = np.linspace(-1, 1, SIDE, dtype="float32")
    places = np.stack(np.meshgrid(place, place, indexing="ij"), axis=-1)
    places = np.tile(places.reshape(1, -1, 2), (len(images), 1, 1))
    return np.concatenate([regions, places], axis=-1)


def batches_of(regions, ids):
    """Captions of like length with the regions of their pictures, epoch after epoch.

    Returns:
        A dataset, another order whenever it is gone through.
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
        caption = tf.gather(ids, rows)[:, :longest]
        there = tf.gather(regions, rows // several)
        return {"regions": there, "caption": caption}, {"words": caption}

    return order.passes().map(batch).prefetch(2)


def trained(caption, split, hard, epochs):
    """A model, and what its training took."""
    import keras

    from mbm_keras.inputs import InputSpec
    from mbm_keras.models import show_attend_tell
    from mbm_keras.tasks import captioning

    _, regions, ids = split
    keras.utils.set_random_seed(SEED)
    width = regions.shape[-1]
    model = show_attend_tell.build(
        feature=InputSpec("regions", "sequence", dict(size=width)),
        vocabulary_size=caption.ids.sizes()["vocabulary_size"],
        width=width,
        word_width=WORD_WIDTH,
        units=UNITS,
        dropout=0.3,
        word_dropout=0.2,
        penalty=0.0,
        hard=hard,
        seed=SEED,
    )
    rows = batches_of(regions, ids)
    steps = int(rows.cardinality())
    rate = keras.optimizers.schedules.CosineDecay(4e-3, steps * epochs)
    model.compile(
        keras.optimizers.Adam(rate, global_clipnorm=5.0),
        captioning.losses(),
        metrics=captioning.metrics(),
        steps_per_execution=8,
    )
    start = time.process_time()
    history = model.fit(rows, epochs=epochs, verbose=0).history
    return model, {
        "CPU seconds": time.process_time() - start,
        "steps": steps * epochs,
        "perplexity": history["perplexity"][-1],
    }


def sentences(caption, ids):
    """The words of ids, a string each."""
    return [s.decode() for s in caption.decode(ids, "words")["words"].numpy()]


def judged(model, caption, split):
    """Every figure of one split."""
    from data_pipelines.datasets import scenes
    from mbm_keras.generation import BeamSearch
    from mbm_keras.metrics import caption_scores
    from mbm_keras.models import show_attend_tell

    examples, regions, _ = split
    references = [e["captions"] for e in examples]
    looker, found = show_attend_tell.attention_model(model), {}
    for way, beams in (("greedy", 1), ("5 beams", 5)):
        search = BeamSearch(beams)
        writer = show_attend_tell.captioner(
            model, caption.ids.sequence_length, search=search
        )
        ids = writer.predict({"regions": regions}, 200, verbose=0)["words"]
        told = sentences(caption, ids)
        asked = {"regions": regions, "caption": ids}
        looked = looker.predict(asked, 200, verbose=0)["attention"]
        inside, cells, chance, combinations, objects = [], [], [], [], []
        for example, sentence, where in zip(examples, told, looked, strict=True):
            by_shape = {thing.shape: thing for thing in example["things"]}
            words = sentence.split()
            pairs = set(zip(words, words[1:], strict=False))
            right = [(t.color, t.shape) in pairs for t in example["things"]]
            named = sorted(word for word in words if word in scenes.SHAPES)
            objects.append(all(right) and named == sorted(by_shape))
            for thing, so in zip(example["things"], right, strict=True):
                if (thing.color, thing.shape) in scenes.UNSEEN:
                    combinations.append(so)
            for word, row in zip(words, where, strict=False):
                if word in by_shape:
                    top, left, bottom, right = box = by_shape[word].box
                    inside.append(holds(box, *peak(row)))
                    y, x = divmod(int(np.argmax(row)), SIDE)
                    cells.append(holds(box, MIDDLES[y], MIDDLES[x]))
                    chance.append((bottom - top) * (right - left))
        found[way] = {
            **caption_scores(told, references),
            "inside": share(inside),
            "best cell inside": share(cells),
            "inside by chance": share(chance),
            "objects": share(objects),
            "combinations": share(combinations),
        }
    return found


def share(found):
    """The mean, None of nothing."""
    return float(np.mean(found)) if found else None


def peak(row):
    """Where attention is highest once it is blurred, as shares of height and width."""
    at = (np.arange(SIZE) + 0.5) / SIZE
    blur = np.exp(-((at[:, None] - MIDDLES) ** 2) / (2 * BLUR**2))  # (pixels, SIDE)
    drawn = blur @ row.reshape(SIDE, SIDE) @ blur.T
    y, x = np.unravel_index(np.argmax(drawn), drawn.shape)
    return at[y], at[x]


def holds(box, y, x):
    """Whether a point is in a box."""
    top, left, bottom, right = box
    return top <= y <= bottom and left <= x <= right


def speed(model, caption, regions):
    """Captions per second: one compiled loop, and the same steps called by Python."""
    import keras

    from mbm_keras.models import show_attend_tell

    length = caption.ids.sequence_length
    writer = show_attend_tell.captioner(model, length)
    teller = model.get_layer("caption_decoder")

    def by_python():
        state, fixed = teller.begin(keras.ops.convert_to_tensor(regions))
        word = np.zeros(len(regions), "int32")
        words, ended = [], np.zeros(len(regions), bool)
        while len(words) < length and not ended.all():
            logits, state = teller.step(word, state, fixed)
            logits = keras.ops.convert_to_numpy(logits).copy()
            logits[:, :2] = -np.inf
            word = np.where(ended, 0, logits.argmax(axis=-1)).astype("int32")
            ended |= word == 2
            words.append(word)
        return np.pad(np.stack(words, 1), [[0, 0], [0, length - len(words)]])

    def compiled():
        return writer.predict_on_batch({"regions": regions})["words"]

    same = float(np.mean(compiled() == by_python()))
    seconds = {"compiled": [], "by Python": []}
    for _ in range(7):  # in turn
        for name, run in (("compiled", compiled), ("by Python", by_python)):
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    rates = {name: len(regions) / min(each) for name, each in seconds.items()}
    ratio = rates["compiled"] / rates["by Python"]
    return {**rates, "ratio": ratio, "words that agree": same}


def main():
    """Trains both kinds, and keeps every figure as soon as it is known."""
    arguments = common.options(
        __doc__,
        out=(str, None, "a JSON to go on"),
        epochs=(int, None, "passes over all captions"),
    )
    rows, alone, epochs = (4_000, 24, 6) if arguments.quick else (24_000, 12, 10)
    epochs = arguments.epochs or epochs
    kept = pathlib.Path(arguments.out) if arguments.out else None
    result = json.loads(kept.read_text()) if kept and kept.exists() else {}
    result |= {"seed": SEED, "scenes": rows}
    todo = [name for name in ("soft", "hard") if name not in result]
    if todo:
        caption, splits = pictures_and_captions(rows)
        tower, result["tower"] = tower_trained(splits, alone)
        splits = {
            name: (examples, with_places(tower, images), ids)
            for name, (examples, images, ids) in splits.items()
        }
    for name in todo:
        model, took = trained(caption, splits["train"], name == "hard", epochs)
        result[name] = {
            **took,
            "test": judged(model, caption, splits["test"]),
            "unseen": judged(model, caption, splits["unseen"]),
        }
        if name == "soft":
            for size in (1, 64):
                regions = splits["test"][1][:size]
                result[f"speed, {size} at once"] = speed(model, caption, regions)
        if kept:
            kept.write_text(json.dumps(result))
            model.save(kept.with_name(f"captions_{name}.keras"))
    common.show(result, arguments.json)


if __name__ == "__main__":
    main()
