"""Shapes and scenes: pictures of a few coloured shapes, described, asked about, judged.

Every picture holds one to three objects of different shape, each with a colour, a size
and a place, on a noisy background; some overlap. Beside it are five captions in varied
words, questions with answers, statements that are true or false, and the box of every
object. The validation and test splits hold out pictures; the split `unseen` holds out
combinations: each of its pictures shows a colour on a shape that training never shows
together, though it shows both. Offline, and the same for the same seed.
"""

import colorsys
import dataclasses
import io
import json
import pathlib

import numpy as np
import polars as pl

SHAPES = ("circle", "square", "triangle", "diamond", "cross", "ring")
# Hue in degrees, saturation, value: from and to. A colour is a range of shades, as it
# is of real things.
_VIVID = (0.35, 1.0), (0.75, 1.0)
COLOURS = {
    "red": ((-14, 12), *_VIVID),
    "orange": ((20, 38), *_VIVID),
    "yellow": ((46, 64), *_VIVID),
    "green": ((95, 150), *_VIVID),
    "cyan": ((170, 195), *_VIVID),
    "blue": ((208, 238), *_VIVID),
    "purple": ((252, 282), *_VIVID),
    "pink": ((300, 335), *_VIVID),
    "white": ((0, 360), (0.0, 0.08), (0.8, 1.0)),
}
SIZES = {"small": (0.17, 0.22), "large": (0.29, 0.36)}  # of the picture's side
SHARES = {"train": 0.75, "valid": 0.05, "test": 0.1, "unseen": 0.1}
# One colour of every shape.
UNSEEN = frozenset(
    {
        ("red", "square"),
        ("green", "triangle"),
        ("blue", "circle"),
        ("yellow", "ring"),
        ("purple", "diamond"),
        ("white", "cross"),
    }
)

_OPENINGS = ("", "there is ", "i see ", "the picture shows ")
_SINGLE = ("{a}", "{a} {at}")
_PAIR = ("{a} {where} {b}", "{a} and {b}", "{a} is {where} {b}")
_TRIPLE = ("{a} {where} {b} and {c}", "{a} and {b} and {c}")
_HAS_AN_EDGE = ("the top left", "the top right", "the bottom left", "the bottom right")


@dataclasses.dataclass(frozen=True)
class Thing:
    """One object of a scene.

    Args:
        shape, colour, size: Their words.
        box: Top, left, bottom and right, as shares of the picture's side.
    """

    shape: str
    colour: str
    size: str
    box: tuple

    @property
    def middle(self):
        top, left, bottom, right = self.box
        return (top + bottom) / 2, (left + right) / 2


def load(*, rows=8_000, seed=0, image_size=64):
    """The scenes as raw rows.

    Args:
        rows: Number of scenes in all splits together.
        seed: Seed of everything drawn.
        image_size: Height and width of the pictures, in pixels.

    Returns:
        `{split: tf.data.Dataset}` of `({"image": PNG bytes, "question": string,
        "statement": string}, {"caption": string, "answer": string, "truth": string})`.
    """
    import tensorflow as tf

    made = {split: [] for split in SHARES}
    for example in examples(rows=rows, seed=seed, image_size=image_size):
        made[example["split"]].append(example)

    def columns(part, names):
        return {name: [example[name] for example in part] for name in names}

    return {
        split: tf.data.Dataset.from_tensor_slices(
            (
                columns(part, ("image", "question", "statement")),
                columns(part, ("caption", "answer", "truth")),
            )
        )
        for split, part in made.items()
        if part
    }


def write(folder, *, rows=8_000, seed=0, image_size=64):
    """Writes the scenes as PNG files with a table, `rows.csv`, beside them.

    Args:
        folder: Folder to write.
        rows: Number of scenes.
        seed: Seed of everything drawn.
        image_size: Height and width of the pictures, in pixels.

    Returns:
        The table's path. Its columns `captions` and `things` are JSON: all that was
        said of the picture, and what is in it.
    """
    folder = pathlib.Path(folder)
    (folder / "scenes").mkdir(parents=True, exist_ok=True)
    records = []
    for i, example in enumerate(examples(rows=rows, seed=seed, image_size=image_size)):
        path = f"scenes/{i:05d}.png"
        (folder / path).write_bytes(example["image"])
        things = [dataclasses.asdict(thing) for thing in example["things"]]
        texts = {k: v for k, v in example.items() if isinstance(v, str)}
        told = {"captions": example["captions"], "things": things}
        told = {name: json.dumps(value) for name, value in told.items()}
        records.append({**texts, **told, "image": path})
    names = ("image", "caption", "question", "answer", "statement", "truth")
    frame = pl.DataFrame(records).select(*names, "captions", "things", "split")
    frame.write_csv(folder / "rows.csv")
    return folder / "rows.csv"


def examples(*, rows=8_000, seed=0, image_size=64):
    """Draws the scenes one by one.

    Args:
        rows: How many.
        seed: Seed of everything drawn.
        image_size: Height and width of the pictures, in pixels.

    Yields:
        Dicts with `split`, `image` (PNG bytes), `things` (a list of `Thing`),
        `captions` (five), `caption` (the first), `question`, `answer`, `statement` and
        `truth` ("true" or "false").
    """
    rng = np.random.default_rng(seed)
    for split, share in SHARES.items():
        for _ in range(round(share * rows)):
            things = _things(rng, split == "unseen")
            captions = [_caption(things, rng) for _ in range(5)]
            question, answer = _question(things, rng)
            truth = bool(rng.integers(2))
            yield {
                "split": split,
                "image": _picture(things, image_size, rng),
                "things": things,
                "captions": captions,
                "caption": captions[0],
                "question": question,
                "answer": answer,
                "statement": _statement(things, truth, rng),
                "truth": "true" if truth else "false",
            }


def _things(rng, unseen):
    """One to three objects of different shape, the later ones in front."""
    number = int(rng.integers(1, 4))
    shapes = list(rng.permutation(SHAPES)[:number])
    colours = [str(rng.choice(_colours(shape, False))) for shape in shapes]
    if unseen:
        which = int(rng.integers(number))
        colours[which] = str(rng.choice(_colours(shapes[which], True)))
    things = []
    for shape, colour in zip(shapes, colours, strict=True):
        size = str(rng.choice(list(SIZES)))
        half = rng.uniform(*SIZES[size]) / 1.6
        for _ in range(100):  # a place that leaves the others visible
            y, x = rng.uniform(half + 0.02, 0.98 - half, 2)
            apart = [
                max(abs(y - v), abs(x - u)) / (half + (t.box[2] - t.box[0]) / 2)
                for t in things
                for v, u in [t.middle]
            ]
            if all(gap > 0.85 for gap in apart):
                break
        box = tuple(
            round(float(v), 4) for v in (y - half, x - half, y + half, x + half)
        )
        things.append(Thing(str(shape), colour, size, box))
    return things


def _colours(shape, unseen):
    return [c for c in COLOURS if ((c, shape) in UNSEEN) == unseen]


def _picture(things, size, rng, finer=4):
    from PIL import Image
    from PIL import ImageDraw

    big = size * finer
    noise = rng.uniform(20, 90) + rng.normal(0, 14, (size, size, 3))
    noise = Image.fromarray(np.uint8(np.clip(noise, 0, 255)))
    layer = Image.new("RGBA", (big, big))
    draw = ImageDraw.Draw(layer)
    for thing in things:
        colour = _shade(thing.colour, rng)
        _draw(draw, thing.shape, [v * big for v in thing.box], colour)
    layer = layer.resize((size, size), Image.Resampling.BOX)
    noise.paste(layer, (0, 0), layer)
    data = io.BytesIO()
    noise.save(data, "PNG")
    return data.getvalue()


def _shade(colour, rng):
    """Red, green and blue, 0 to 255, of a colour's range."""
    hue, saturation, value = (rng.uniform(*span) for span in COLOURS[colour])
    shade = colorsys.hsv_to_rgb(hue / 360 % 1, saturation, value)
    return tuple(round(255 * part) for part in shade)


def _draw(draw, shape, box, colour):
    top, left, bottom, right = box
    y, x, third = (top + bottom) / 2, (left + right) / 2, (right - left) / 3
    if shape == "circle":
        draw.ellipse((left, top, right, bottom), fill=colour)
    elif shape == "ring":
        draw.ellipse((left, top, right, bottom), outline=colour, width=int(third * 0.8))
    elif shape == "square":
        draw.rectangle((left, top, right, bottom), fill=colour)
    elif shape == "triangle":
        draw.polygon([(x, top), (right, bottom), (left, bottom)], fill=colour)
    elif shape == "diamond":
        draw.polygon([(x, top), (right, y), (x, bottom), (left, y)], fill=colour)
    else:
        draw.rectangle((left + third, top, right - third, bottom), fill=colour)
        draw.rectangle((left, top + third, right, bottom - third), fill=colour)


def _caption(things, rng):
    # As one reads, so that what comes next can be told from the picture.
    order = sorted(things, key=lambda thing: thing.middle[1])
    named = dict(zip("abc", (_named(thing, rng) for thing in order), strict=False))
    forms = {1: _SINGLE, 2: _PAIR, 3: _TRIPLE}[len(order)]
    place = _place(order[0])
    if len(order) == 1 and place is None:
        forms = forms[:1]
    form = str(rng.choice(forms))
    where = _relation(order[0], order[1], rng) if len(order) > 1 else None
    opening = "" if " is " in form else str(rng.choice(_OPENINGS))
    return opening + form.format(**named, where=where, at=f"at {place}")


def _named(thing, rng):
    size = f"{thing.size} " if rng.random() < 0.5 else ""
    return f"a {size}{thing.colour} {thing.shape}"


def _place(thing):
    """A corner, where it is clearly in one."""
    y, x = thing.middle
    if min(abs(y - 0.5), abs(x - 0.5)) < 0.1:
        return None
    return _HAS_AN_EDGE[2 * (y > 0.5) + (x > 0.5)]


def _relation(one, other, rng):
    """Where the first is of the second, by the direction in which they lie apart."""
    (y, x), (v, u) = one.middle, other.middle
    if abs(x - u) >= abs(y - v):
        return "left of" if x < u else "right of"
    return "above" if y < v else "below"


def _question(things, rng):
    thing = things[rng.integers(len(things))]
    # Of three, two may lie to the same side.
    kind = int(rng.integers(4 if len(things) == 2 else 3))
    if kind == 0:
        return f"what colour is the {thing.shape}", thing.colour
    if kind == 1:
        return "how many objects are there", str(len(things))
    if kind == 2:
        yes = bool(rng.integers(2))
        shapes = [t.shape for t in things] if yes else _lacking(things)
        answer = "yes" if yes else "no"
        return f"is there a {rng.choice(shapes)}", answer
    other = next(t for t in things if t is not thing)
    where = _relation(thing, other, rng)
    return f"which shape is {where} the {other.shape}", thing.shape


def _lacking(things):
    return [shape for shape in SHAPES if shape not in {t.shape for t in things}]


def _statement(things, truth, rng):
    thing = things[rng.integers(len(things))]
    if len(things) > 1 and rng.random() < 0.5:
        other = next(t for t in things if t is not thing)
        if not truth:
            thing, other = other, thing
        right = _relation(thing, other, rng)
        if not truth:  # said of the wrong one
            thing, other = other, thing
        return f"the {thing.shape} is {right} the {other.shape}"
    wrong = [c for c in COLOURS if c != thing.colour]
    colour = thing.colour if truth else str(rng.choice(wrong))
    return f"the {thing.shape} is {colour}"
