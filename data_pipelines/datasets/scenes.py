"""Shapes and scenes: images of a few colored shapes, with texts about them.

Each image shows one to three objects of different shapes, each with a color, a size and
a position, on a noisy background; some overlap. With it come five captions in varied
words, a question and its answer, a statement that is true or false, and the box of each
object. The splits `valid` and `test` hold out images. The split `unseen` holds out
combinations: each of its images shows a color on a shape that training never shows
together, though it shows both. It is made offline; the same seed gives the same rows.
"""

import colorsys
import dataclasses
import io
import json
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import polars as pl

from data_pipelines import files
from data_pipelines.datasets.splits import load_splits

if TYPE_CHECKING:
    import tensorflow as tf

SHAPES = ("circle", "square", "triangle", "diamond", "cross", "ring")
# Hue in degrees, saturation, value: from and to. A color is a range of shades, as on
# real objects.
_VIVID = (0.35, 1.0), (0.75, 1.0)
COLORS = {
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
SIZES = {"small": (0.17, 0.22), "large": (0.29, 0.36)}  # shares of the image's side
SHARES = {"train": 0.75, "valid": 0.05, "test": 0.1, "unseen": 0.1}
# One color of each shape.
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
_CORNERS = ("the top left", "the top right", "the bottom left", "the bottom right")


@dataclasses.dataclass(frozen=True)
class Thing:
    """One object of a scene.

    Args:
        shape: One of `SHAPES`.
        color: One of `COLORS`.
        size: One of `SIZES`.
        box: Top, left, bottom and right, as shares of the image's side.
    """

    shape: str
    color: str
    size: str
    box: tuple[float, float, float, float]

    @property
    def center(self) -> tuple[float, float]:
        """Its y and x, as shares of the image's side."""
        top, left, bottom, right = self.box
        return (top + bottom) / 2, (left + right) / 2


def load(
    *, rows: int = 8_000, seed: int = 0, image_size: int = 64
) -> dict[str, "tf.data.Dataset"]:
    """Loads the scenes as raw rows.

    Args:
        rows: Number of scenes in all splits together.
        seed: Seed of all random choices.
        image_size: Height and width of the images, in pixels.

    Returns:
        `{split: tf.data.Dataset}` of `({"image": PNG bytes, "question": string,
        "statement": string}, {"caption": string, "answer": string, "truth": string})`.
    """
    made = examples(rows=rows, seed=seed, image_size=image_size)
    inputs, targets = ("image", "question", "statement"), ("caption", "answer", "truth")
    return load_splits(made, inputs, targets)


def write(
    folder: str | pathlib.Path,
    *,
    rows: int = 8_000,
    seed: int = 0,
    image_size: int = 64,
) -> pathlib.Path:
    """Writes the scenes as PNG files and a table, `rows.csv`.

    Args:
        folder: Folder to write.
        rows: Number of scenes.
        seed: Seed of all random choices.
        image_size: Height and width of the images, in pixels.

    Returns:
        Path of the table. Its columns `captions` and `things` are JSON: all captions of
        the image, and the objects in it.
    """
    folder = pathlib.Path(folder)
    (folder / "scenes").mkdir(parents=True, exist_ok=True)
    records = []
    for i, example in enumerate(examples(rows=rows, seed=seed, image_size=image_size)):
        path = f"scenes/{i:05d}.png"
        (folder / path).write_bytes(example["image"])
        things = [dataclasses.asdict(thing) for thing in example["things"]]
        texts = {k: v for k, v in example.items() if isinstance(v, str)}
        lists = {"captions": example["captions"], "things": things}
        lists = {name: json.dumps(value) for name, value in lists.items()}
        records.append({**texts, **lists, "image": path})
    names = ("image", "caption", "question", "answer", "statement", "truth")
    frame = pl.DataFrame(records).select(*names, "captions", "things", "split")
    files.write(folder / "rows.csv", frame.write_csv())
    return folder / "rows.csv"


def examples(
    *, rows: int = 8_000, seed: int = 0, image_size: int = 64
) -> Iterator[dict[str, Any]]:
    """Generates the scenes one by one.

    Args:
        rows: Number of scenes in all splits together.
        seed: Seed of all random choices.
        image_size: Height and width of the images, in pixels.

    Yields:
        Dicts with `split`, `image` (PNG bytes), `things` (a list of `Thing`),
        `captions` (five), `caption` (the first), `question`, `answer`, `statement` and
        `truth` ("true" or "false").
    """
    rng = np.random.default_rng(seed)
    for split, share in SHARES.items():
        for _ in range(round(share * rows)):
            things = _make_things(rng, split == "unseen")
            captions = [_make_caption(things, rng) for _ in range(5)]
            question, answer = _make_question(things, rng)
            truth = bool(rng.integers(2))
            yield {
                "split": split,
                "image": _draw_image(things, image_size, rng),
                "things": things,
                "captions": captions,
                "caption": captions[0],
                "question": question,
                "answer": answer,
                "statement": _make_statement(things, truth, rng),
                "truth": "true" if truth else "false",
            }


def _make_things(rng, unseen):
    """One to three objects of different shapes, the later ones in front."""
    number = int(rng.integers(1, 4))
    shapes = list(rng.permutation(SHAPES)[:number])
    colors = [str(rng.choice(_colors(shape, False))) for shape in shapes]
    if unseen:
        which = int(rng.integers(number))
        colors[which] = str(rng.choice(_colors(shapes[which], True)))
    things = []
    for shape, color in zip(shapes, colors, strict=True):
        size = str(rng.choice(list(SIZES)))
        half = rng.uniform(*SIZES[size]) / 1.6
        for _ in range(100):  # a position that leaves the others visible
            y, x = rng.uniform(half + 0.02, 0.98 - half, 2)
            apart = [
                max(abs(y - v), abs(x - u)) / (half + (t.box[2] - t.box[0]) / 2)
                for t in things
                for v, u in [t.center]
            ]
            if all(gap > 0.85 for gap in apart):
                break
        box = tuple(
            round(float(v), 4) for v in (y - half, x - half, y + half, x + half)
        )
        things.append(Thing(str(shape), color, size, box))
    return things


def _colors(shape, unseen):
    return [c for c in COLORS if ((c, shape) in UNSEEN) == unseen]


def _draw_image(things, size, rng, scale=4):
    from PIL import Image
    from PIL import ImageDraw

    big = size * scale
    noise = rng.uniform(20, 90) + rng.normal(0, 14, (size, size, 3))
    noise = Image.fromarray(np.uint8(np.clip(noise, 0, 255)))
    layer = Image.new("RGBA", (big, big))
    draw = ImageDraw.Draw(layer)
    for thing in things:
        color = _choose_shade(thing.color, rng)
        _draw_shape(draw, thing.shape, [v * big for v in thing.box], color)
    layer = layer.resize((size, size), Image.Resampling.BOX)
    noise.paste(layer, (0, 0), layer)
    data = io.BytesIO()
    noise.save(data, "PNG")
    return data.getvalue()


def _choose_shade(color, rng):
    """Red, green and blue from 0 to 255, in the range of a color."""
    hue, saturation, value = (rng.uniform(*span) for span in COLORS[color])
    shade = colorsys.hsv_to_rgb(hue / 360 % 1, saturation, value)
    return tuple(round(255 * part) for part in shade)


def _draw_shape(draw, shape, box, color):
    top, left, bottom, right = box
    y, x, third = (top + bottom) / 2, (left + right) / 2, (right - left) / 3
    if shape == "circle":
        draw.ellipse((left, top, right, bottom), fill=color)
    elif shape == "ring":
        draw.ellipse((left, top, right, bottom), outline=color, width=int(third * 0.8))
    elif shape == "square":
        draw.rectangle((left, top, right, bottom), fill=color)
    elif shape == "triangle":
        draw.polygon([(x, top), (right, bottom), (left, bottom)], fill=color)
    elif shape == "diamond":
        draw.polygon([(x, top), (right, y), (x, bottom), (left, y)], fill=color)
    else:
        draw.rectangle((left + third, top, right - third, bottom), fill=color)
        draw.rectangle((left, top + third, right, bottom - third), fill=color)


def _make_caption(things, rng):
    # From left to right, so that the image determines which object comes next.
    order = sorted(things, key=lambda thing: thing.center[1])
    phrases = [_describe(thing, rng) for thing in order]
    phrases = dict(zip("abc"[: len(order)], phrases, strict=True))
    forms = {1: _SINGLE, 2: _PAIR, 3: _TRIPLE}[len(order)]
    corner = _find_corner(order[0])
    if len(order) == 1 and corner is None:
        forms = forms[:1]
    form = str(rng.choice(forms))
    where = _relate(order[0], order[1]) if len(order) > 1 else None
    opening = "" if " is " in form else str(rng.choice(_OPENINGS))
    return opening + form.format(**phrases, where=where, at=f"at {corner}")


def _describe(thing, rng):
    size = f"{thing.size} " if rng.random() < 0.5 else ""
    return f"a {size}{thing.color} {thing.shape}"


def _find_corner(thing):
    """The corner that an object is clearly in, or None."""
    y, x = thing.center
    if min(abs(y - 0.5), abs(x - 0.5)) < 0.1:
        return None
    return _CORNERS[2 * (y > 0.5) + (x > 0.5)]


def _relate(one, other):
    """Where the first is, seen from the second, along the axis of their distance."""
    (y, x), (v, u) = one.center, other.center
    if abs(x - u) >= abs(y - v):
        return "left of" if x < u else "right of"
    return "above" if y < v else "below"


def _make_question(things, rng):
    thing = things[rng.integers(len(things))]
    # Of three objects, two may be on the same side.
    kind = int(rng.integers(4 if len(things) == 2 else 3))
    if kind == 0:
        return f"what color is the {thing.shape}", thing.color
    if kind == 1:
        return "how many objects are there", str(len(things))
    if kind == 2:
        yes = bool(rng.integers(2))
        shapes = [t.shape for t in things] if yes else _missing_shapes(things)
        answer = "yes" if yes else "no"
        return f"is there a {rng.choice(shapes)}", answer
    other = next(t for t in things if t is not thing)
    where = _relate(thing, other)
    return f"which shape is {where} the {other.shape}", thing.shape


def _missing_shapes(things):
    return [shape for shape in SHAPES if shape not in {t.shape for t in things}]


def _make_statement(things, truth, rng):
    thing = things[rng.integers(len(things))]
    if len(things) > 1 and rng.random() < 0.5:
        other = next(t for t in things if t is not thing)
        if not truth:
            thing, other = other, thing
        right = _relate(thing, other)
        if not truth:  # with the objects exchanged
            thing, other = other, thing
        return f"the {thing.shape} is {right} the {other.shape}"
    wrong = [c for c in COLORS if c != thing.color]
    color = thing.color if truth else str(rng.choice(wrong))
    return f"the {thing.shape} is {color}"
