"""Documents: which words of a page are the company, the date, the total.

    w_i  = W [word; characters; sin and cos of its box] + picture of the page at its box
    b_ij = B_1[bucket(j - i)] + B_x[bucket(x_j - x_i)] + B_y[bucket(y_j - y_i)]
    h    = blocks of a transformer over w, with b added to the scores of attention
    tags = CRF over h: B-total, I-total, O

Source: Xu et al. 2021, "LayoutLMv2: Multi-modal Pre-training for Visually-Rich Document
Understanding", https://arxiv.org/abs/2012.14740, section 2.1, for the bias by buckets
of distances, from the left and the lower side of boxes; Raffel et al. 2020, "Exploring
the Limits of Transfer Learning", https://arxiv.org/abs/1910.10683, section 2.1, for
buckets; Katti et al. 2018, "Chargrid", https://arxiv.org/abs/1809.08799, for
convolutions over the page; Lample et al. 2016, https://arxiv.org/abs/1603.01360, for
the CRF. Deviations: boxes are codes of sines and no tables of 1,024 positions, since
some hundred pages do not fill those; the picture is sampled at the center of each box,
and is not a sequence of its own; blocks normalize before each half; it is trained from
scratch. LayoutLM's published size (112,627,968) has other parts, so no preset has it.

A page of more words than `window` is read in windows that overlap by half: each word is
the mean of its windows, weighted by how far it is from their ends. No word is cut, and
the CRF reads the whole page.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers
from keras import ops

from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import output_name
from mbm_keras.inputs import teacher_name
from mbm_keras.inputs import tower_name
from mbm_keras.layers import PixelValues
from mbm_keras.layers import SentenceDecoder
from mbm_keras.layers import WordMask
from mbm_keras.layers import WordVectors
from mbm_keras.preset import Preset
from mbm_keras.tasks import Task
from mbm_keras.tasks import TaskModel
from mbm_keras.tasks import Understanding
from mbm_keras.towers.encode import list_inputs

BOX = slice(1, 5)  # of the numbers of a word: x0, y0, x1, y1 from 0 to 1,000
_UNITS = 1_000.0
_BUCKETS = 64  # of distances, half of them for each direction
_FARTHEST = {"order": 128, "x": 1_000, "y": 1_000}  # where the last bucket begins
_HIDDEN = -1e4  # score of padding, in half precision too

_PAGE = InputSpec(
    "page", "page", {"vocabulary_size": 20, "num_characters": 12, "word_length": 4}
)
_SCAN = InputSpec("scan", "image", {"size": 16})
_TAGS = tuple("abcdefgh")

PRESETS = {
    "tiny": Preset(
        dict(
            inputs=[_PAGE, _SCAN],
            task=Understanding(tags=_TAGS, sequence_length=5, name="fields"),
            width=16,
            word_width=8,
            filters=4,
            num_layers=1,
            window=4,
            picture_filters=(4,),
            dropout=0.0,
            word_dropout=0.0,
        )
    ),
    # 0.6 M weights, and 96 more for each word of the vocabulary.
    "small": Preset(
        dict(
            inputs=[
                InputSpec(
                    "page",
                    "page",
                    dict(vocabulary_size=2_000, num_characters=100, word_length=16),
                ),
                InputSpec("scan", "image", {"size": 128}),
            ],
            task=Understanding(
                tags=("O", "B-company", "I-company", "B-total", "I-total"),
                sequence_length=512,
                name="fields",
            ),
        )
    ),
}


def check_fit(inputs: Sequence[InputSpec], task: Task) -> None:
    """Raises for inputs or a task that the model cannot take.

    Raises:
        ValueError: If the inputs are not a page of words and boxes, and at most one
            image with it; or for another task than `Understanding` of tags alone.
    """
    modalities = sorted(spec.modality for spec in inputs)
    fits = isinstance(task, Understanding) and task.tags and not task.num_intents
    if modalities not in (["page"], ["image", "page"]) or not fits:
        raise ValueError(
            "Expected a page of words and boxes, an image or none, and a task of tags "
            f"alone. Received: inputs={list_inputs(inputs)}, task={task}."
        )


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Understanding,
    num_layers: int = 4,
    width: int = 128,
    word_width: int = 96,
    filters: int = 32,
    window: int = 256,
    layout: bool = True,
    picture_filters: Sequence[int] = (16, 32, 64),
    dropout: float = 0.2,
    word_dropout: float = 0.1,
    name: str = "document_extractor",
) -> keras.Model:
    """Builds the model.

    Args:
        inputs: The `InputSpec` of a page, with `vocabulary_size`, `num_characters` and
            `word_length` in its sizes; and that of an image with its `size`, or none.
        task: An `Understanding` of tags alone.
        num_layers: int > 0, blocks of the transformer.
        width: int > 0, their width, a multiple of 8.
        word_width: int > 0, width of the embedding of a word.
        filters: int > 0, convolutions over characters of each of the widths 2, 3, 4.
        window: int > 1, even, words that attend to each other.
        layout: bool, False to leave the boxes out, as a comparison.
        picture_filters: Channels of each convolution over the image; each is followed
            by a pooling that halves it.
        dropout: float in [0, 1), dropout rate.
        word_dropout: float in [0, 1), share of the words that training replaces by the
            unknown word.
        name: str, name of the model.

    Returns:
        A functional `keras.Model`. Inputs, by key:
            page: `(batch, words, 5 + word_length)` int32: the id of each word, x0, y0,
                x1, y1 from 0 to 1,000, and the ids of its characters; 0 = padding.
            scan: `(batch, size, size, 3)` in [0, 255] or [0, 1], the page stretched to
                a square; where there is an image.
            fields_teacher: `(batch, n)` int32, the target; a model of `for_inference`
                does without.
        Outputs, by name:
            fields: `(batch, size)` float32, see `mbm_keras.sentence_answers`.

    Raises:
        ValueError: If the inputs or the task do not fit, or `window` or `width`.
    """
    check_fit(inputs, task)
    if window < 2 or window % 2 or width % 8:
        raise ValueError(
            "Expected an even window and width as a multiple of 8. Received: "
            f"window={window}, width={width}."
        )
    (spec,) = (x for x in inputs if x.modality == "page")
    given = {}

    # === Words ===
    page = keras.Input(
        (None, 5 + spec.sizes["word_length"]), dtype="int32", name=spec.key
    )
    given[spec.key] = page
    mask = WordMask()(page)  # (batch, words)
    x = _page_tower(spec, width, word_width, filters, layout, word_dropout)(page)

    # === Picture ===
    for image in (x for x in inputs if x.modality == "image"):
        size = image.sizes["size"]
        scan = keras.Input((size, size, 3), dtype="float32", name=image.key)
        given[image.key] = scan
        grid = _picture_tower(image, picture_filters, dropout)(scan)
        seen = layers.Dense(width)(SampleGrid()([grid, page]))
        x = layers.Add()([x, seen])  # (batch, words, width)

    # === Layout ===
    heads = width // _head_width(width)
    x = layers.Dropout(dropout)(x)
    states = ToWindows(window)(x)  # (windows, steps, width)
    pages = ToWindows(window)(page)
    bias = LayoutBias(heads, layout)(pages)
    for _ in range(num_layers):
        states = LayoutBlock(heads, dropout)([states, bias])
    states = FromWindows(window)([states, mask])  # (batch, words, width)
    states = layers.LayerNormalization()(states)

    # === Head ===
    target = keras.Input((None,), dtype="int32", name=teacher_name(task.name))
    decoder = task.decoder(output_name(task.name, inputs))
    output = decoder({"states": states, "mask": mask, "target": target})
    ordered = [given[x.key] for x in inputs]
    return TaskModel([*ordered, target], {task.name: output}, name=name)


def for_inference(model: keras.Model, task: Understanding) -> keras.Model:
    """The model that answers, which does without the target.

    Args:
        model: What `build` returned.
        task: The task it was built for.

    Returns:
        A functional `keras.Model` of the page and its image, with the same output.
    """
    (decoder,) = (x for x in model.layers if isinstance(x, SentenceDecoder))
    parts = {name: x for name, x in decoder.parts.items() if name != "target"}
    given = [x for x in model.inputs if x.name != teacher_name(task.name)]
    answers = {task.name: decoder(parts)}
    return keras.Model(given, answers, name=f"{model.name}_answers")


def _head_width(width):
    return next(n for n in (32, 16, 8) if width % n == 0)


def _page_tower(spec, width, word_width, filters, layout, word_dropout):
    """From the numbers of words to their embeddings `(batch, words, width)`."""
    page = keras.Input((None, 5 + spec.sizes["word_length"]), dtype="int32")
    sizes = (spec.sizes["vocabulary_size"], spec.sizes["num_characters"])
    embed = WordVectors(*sizes, word_width, filters, word_dropout)
    words = ops.concatenate([page[:, :, :1], page[:, :, BOX.stop :]], axis=2)
    x = embed(words)
    if layout:
        x = layers.Concatenate()([x, BoxCodes()(page)])
    x = layers.LayerNormalization()(layers.Dense(width)(x))
    return keras.Model([page], x, name=tower_name(spec.key))


def _picture_tower(spec, filters, dropout):
    """From pixels to the grid `(batch, rows, columns, channels)`."""
    size = spec.sizes["size"]
    if size < 2 ** len(filters):
        raise ValueError(
            f"Expected an image of at least {2 ** len(filters)} pixels a side. "
            f"Received: size={size}, picture_filters={tuple(filters)}."
        )
    image = keras.Input((size, size, 3), dtype="float32")
    x = layers.Rescaling(1 / 127.5, offset=-1)(PixelValues()(image))
    for channels in filters:
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(2)(layers.ReLU()(x))
    x = layers.SpatialDropout2D(dropout)(x)
    return keras.Model([image], x, name=tower_name(spec.key))


def bucket(distance: Any, farthest: int) -> Any:
    """The bucket of a distance: near ones have one each, far ones share by logarithm.

    Args:
        distance: int32 of any shape, with its sign.
        farthest: Where the last bucket begins.

    Returns:
        int32 of the same shape, from 0 to 63; 32 and more for a distance above 0.
    """
    half = _BUCKETS // 2
    exact = half // 2
    length = ops.cast(ops.abs(distance), "float32")
    scale = (half - exact) / np.log(farthest / exact)
    far = exact + ops.log(ops.maximum(length, 1.0) / exact) * scale
    found = ops.where(length < exact, length, ops.minimum(far, half - 1.0))
    return ops.cast(found, "int32") + half * ops.cast(distance > 0, "int32")


@keras.saving.register_keras_serializable(package="mbm_keras.models.document_extractor")
class BoxCodes(layers.Layer):
    """Sines and cosines of the sides of boxes, their width and their height.

        code(v) = [sin(pi 2^k v); cos(pi 2^k v)],  k = 0 .. num_frequencies - 1

    with v in pages.

    Args:
        num_frequencies: int > 0.

    Call arguments:
        page: `(batch, words, 5 + n)` int32, see `build`.

    Returns:
        `(batch, words, 12 num_frequencies)`.
    """

    def __init__(self, num_frequencies: int = 8, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_frequencies = num_frequencies

    def call(self, page):
        box = ops.cast(page[:, :, BOX], "float32") / _UNITS
        box = ops.concatenate([box, box[:, :, 2:] - box[:, :, :2]], axis=2)
        rate = (np.pi * 2.0 ** np.arange(self.num_frequencies)).astype("float32")
        angle = box[:, :, :, None] * rate  # (batch, words, 6, num_frequencies)
        code = ops.concatenate([ops.sin(angle), ops.cos(angle)], axis=3)
        shape = (ops.shape(page)[0], ops.shape(page)[1], 12 * self.num_frequencies)
        return ops.cast(ops.reshape(code, shape), self.compute_dtype)

    def compute_output_spec(self, page):
        shape = (*page.shape[:2], 12 * self.num_frequencies)
        return keras.KerasTensor(shape, self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "num_frequencies": self.num_frequencies}


@keras.saving.register_keras_serializable(package="mbm_keras.models.document_extractor")
class SampleGrid(layers.Layer):
    """The grid of a picture at the center of each box, between its cells bilinearly.

    Call arguments:
        inputs: A list of the grid `(batch, rows, columns, channels)`, and the page
            `(batch, words, 5 + n)` int32, see `build`.

    Returns:
        `(batch, words, channels)`.
    """

    def call(self, inputs):
        grid, page = inputs
        box = ops.cast(page[:, :, BOX], "float32") / _UNITS
        center = (box[:, :, :2] + box[:, :, 2:]) / 2.0  # (batch, words, 2)
        columns = _tents(center[:, :, 0], grid.shape[2], grid.dtype)
        rows = _tents(center[:, :, 1], grid.shape[1], grid.dtype)
        x = ops.einsum("bnr,brcd->bncd", rows, grid)
        return ops.einsum("bnc,bncd->bnd", columns, x)

    def compute_output_spec(self, inputs):
        grid, page = inputs
        return keras.KerasTensor((*page.shape[:2], grid.shape[3]), self.compute_dtype)


def _tents(position, cells, dtype):
    """Weights of cells for positions in [0, 1], `(batch, words, cells)`."""
    x = ops.clip(position * cells - 0.5, 0.0, cells - 1.0)
    distance = ops.abs(x[:, :, None] - np.arange(cells, dtype="float32"))
    return ops.cast(ops.maximum(1.0 - distance, 0.0), dtype)


def _windows(words, window):
    """Steps of a window, an even number; and how many windows hold all words."""
    is_known = isinstance(words, int)  # a size of JAX is a number, to remain one
    least, most = (min, max) if is_known else (ops.minimum, ops.maximum)
    steps = least(words + words % 2, window)
    return steps, most(-((steps - words) // (steps // 2)), 0) + 1


@keras.saving.register_keras_serializable(package="mbm_keras.models.document_extractor")
class ToWindows(layers.Layer):
    """Windows that overlap by half, as rows of their own.

    Args:
        window: int > 0, even, steps of a window; less where all words are fewer.

    Call arguments:
        x: `(batch, words, n)`.

    Returns:
        `(batch windows, steps, n)`, after the last word zeros.
    """

    def __init__(self, window: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.window = window

    def call(self, x):
        words, width = ops.shape(x)[1], x.shape[2]
        steps, count = _windows(words, self.window)
        half = steps // 2
        x = ops.pad(x, [[0, 0], [0, (count - 1) * half + steps - words], [0, 0]])
        index = ops.arange(count)[:, None] * half + ops.arange(steps)[None]
        x = ops.take(x, index, axis=1)  # (batch, windows, steps, n)
        return ops.reshape(x, (-1, steps, width))

    def compute_output_spec(self, x):
        return keras.KerasTensor((None, None, x.shape[2]), x.dtype)

    def get_config(self):
        return {**super().get_config(), "window": self.window}


@keras.saving.register_keras_serializable(package="mbm_keras.models.document_extractor")
class FromWindows(layers.Layer):
    """What `ToWindows` split, as the weighted mean of the windows of each word.

        weight_t = min(t + 1, steps - t),  t from 0 on in a window

    Args:
        window: int, that of `ToWindows`.

    Call arguments:
        inputs: A list of `(batch windows, steps, n)`, and the mask of the words that
            were split, `(batch, words)` bool, True before False.

    Returns:
        `(batch, words, n)`. A window whose words are all in the one before it is left
        out: how much padding is after a page changes nothing.
    """

    def __init__(self, window: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.window = window

    def call(self, inputs):
        x, mask = inputs
        words, width = ops.shape(mask)[1], x.shape[2]
        steps, count = _windows(words, self.window)
        half = steps // 2
        step = ops.arange(steps)
        weight = ops.cast(ops.minimum(step + 1, steps - step), x.dtype)[:, None]
        length = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)
        number = ops.arange(count)[None]  # of a window
        is_needed = ops.logical_or(number == 0, (number + 1) * half < length)
        weight = weight * ops.cast(is_needed, x.dtype)[:, :, None, None]

        def add(y):
            """The sum over windows of `(rows, windows, steps, n)`."""
            shape = (-1, count * half, y.shape[3])
            first = ops.reshape(y[:, :, :half], shape)
            second = ops.reshape(y[:, :, half:], shape)
            first = ops.pad(first, [[0, 0], [0, half], [0, 0]])
            return first + ops.pad(second, [[0, 0], [half, 0], [0, 0]])

        x = ops.reshape(x, (-1, count, steps, width)) * weight
        return (add(x) / ops.maximum(add(weight), 1.0))[:, :words]

    def compute_output_spec(self, inputs):
        x, mask = inputs
        return keras.KerasTensor((*mask.shape, x.shape[2]), self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "window": self.window}


@keras.saving.register_keras_serializable(package="mbm_keras.models.document_extractor")
class LayoutBias(layers.Layer):
    """Scores of attention by how far words are from each other, padding hidden.

    Args:
        num_heads: int > 0.
        layout: bool, False for the order of the words alone.

    Call arguments:
        page: `(batch, words, 5 + n)` int32, see `build`.

    Returns:
        `(batch, num_heads, words, words)` float32, from a word to those of the last
        axis.
    """

    def __init__(self, num_heads: int, layout: bool = True, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.num_heads = num_heads
        self.layout = layout

    def build(self, shape):
        kinds = ("order", "x", "y") if self.layout else ("order",)
        self.tables = {
            kind: self.add_weight(
                (_BUCKETS, self.num_heads),
                keras.initializers.RandomNormal(stddev=0.02),
                name=kind,
            )
            for kind in kinds
        }

    def call(self, page):
        order = ops.arange(ops.shape(page)[1])[None]  # (1, words)
        position = {"order": order, "x": page[:, :, 1], "y": page[:, :, 4]}
        bias = 0.0
        for kind, table in self.tables.items():
            x = position[kind]
            distance = x[:, None, :] - x[:, :, None]
            bias += ops.take(table, bucket(distance, _FARTHEST[kind]), axis=0)
        bias = ops.transpose(bias, (0, 3, 1, 2))
        return ops.where(page[:, None, None, :, 0] > 0, bias, _HIDDEN)

    def compute_output_spec(self, page):
        shape = (page.shape[0], self.num_heads, page.shape[1], page.shape[1])
        return keras.KerasTensor(shape, "float32")

    def get_config(self):
        own = {"num_heads": self.num_heads, "layout": self.layout}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="mbm_keras.models.document_extractor")
class LayoutBlock(layers.Layer):
    """A block of a transformer with given scores added to those of attention.

        y   = x + W_o softmax(q k / sqrt(head width) + b) v,  q, k, v from norm(x)
        out = y + W_2 gelu(W_1 norm(y))

    Args:
        num_heads: int > 0, which divides the width.
        dropout: float in [0, 1), dropout rate after each half.

    Call arguments:
        inputs: A list of x `(batch, steps, width)`, and b
            `(batch, num_heads, steps, steps)`.

    Returns:
        `(batch, steps, width)`.
    """

    def __init__(self, num_heads: int, dropout: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.dropout = dropout

    def build(self, shapes):
        width = shapes[0][-1]
        policy = dict(dtype=self.dtype_policy)
        self.norm_x = layers.LayerNormalization(epsilon=1e-6, **policy)
        self.norm_y = layers.LayerNormalization(epsilon=1e-6, **policy)
        self.split = layers.Dense(3 * width, name="query_key_value", **policy)
        self.join = layers.Dense(width, name="join", **policy)
        self.wide = layers.Dense(4 * width, "gelu", name="wide", **policy)
        self.narrow = layers.Dense(width, name="narrow", **policy)
        self.drop = layers.Dropout(self.dropout, **policy)
        for layer in (self.norm_x, self.norm_y, self.split, self.join, self.wide):
            layer.build((None, None, width))
        self.narrow.build((None, None, 4 * width))

    def call(self, inputs, training=None):
        x, bias = inputs
        shape, width = ops.shape(x), x.shape[-1]
        heads = (shape[0], shape[1], 3, self.num_heads, width // self.num_heads)
        parts = ops.reshape(self.split(self.norm_x(x)), heads)
        query, key, value = parts[:, :, 0], parts[:, :, 1], parts[:, :, 2]
        scores = ops.cast(ops.einsum("bqhd,bkhd->bhqk", query, key), "float32")
        scores = scores / (heads[-1] ** 0.5) + ops.cast(bias, "float32")
        weights = ops.cast(ops.softmax(scores, axis=-1), x.dtype)
        y = ops.einsum("bhqk,bkhd->bqhd", weights, value)
        y = self.join(ops.reshape(y, (shape[0], shape[1], width)))
        y = x + self.drop(y, training=training)
        z = self.narrow(self.wide(self.norm_y(y)))
        return y + self.drop(z, training=training)

    def compute_output_spec(self, inputs, training=None):
        return keras.KerasTensor(inputs[0].shape, self.compute_dtype)

    def get_config(self):
        own = {"num_heads": self.num_heads, "dropout": self.dropout}
        return {**super().get_config(), **own}
