"""Documents: which words of a page are the company, the date, the total.

    w_i  = W [word; characters; sin and cos of its box] + picture of the page at its box
    w    = w + gelu(conv(norm(w))), several times: what is near in reading order
    b_ij = B_1[bucket(j - i)] + B_x[bucket(x_j - x_i)] + B_y[bucket(y_j - y_i)]
    h    = blocks of a transformer over w, with b added to the scores of attention
    tags = CRF over h: B-total, I-total, O

Source: Xu et al. 2021, "LayoutLMv2: Multi-modal Pre-training for Visually-Rich Document
Understanding", https://arxiv.org/abs/2012.14740, section 2.1, for the bias by buckets
of distances, from the left and the lower side of boxes; Raffel et al. 2020, "Exploring
the Limits of Transfer Learning", https://arxiv.org/abs/1910.10683, section 2.1, for
buckets; Katti et al. 2018, "Chargrid", https://arxiv.org/abs/1809.08799, for
convolutions over the page; Strubell et al. 2017, "Fast and Accurate Entity Recognition
with Iterated Dilated Convolutions", https://arxiv.org/abs/1702.02098, for convolutions
over words, without which attention needs far more pages; Lample et al. 2016,
https://arxiv.org/abs/1603.01360, for the CRF. Training moves and stretches the boxes of
a page. Deviations: convolutions are not dilated, for attention sees what is far; boxes
are codes of sines and no tables of 1,024 positions, since some hundred pages do not
fill those; the picture is sampled at the center of each box, and is not a sequence of
its own; blocks normalize before each half; it is trained from scratch. LayoutLM's
published size (112,627,968) has other parts, so no preset has it.

A page of more words than `window` is read in windows that overlap by half: each word is
the mean of its windows, weighted by how far it is from their ends. No word is cut, and
the CRF reads the whole page.
"""

from collections.abc import Sequence

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import output_name
from mbm_keras.inputs import teacher_name
from mbm_keras.inputs import tower_name
from mbm_keras.layers import BoxCodes
from mbm_keras.layers import FromWindows
from mbm_keras.layers import LayoutBias
from mbm_keras.layers import LayoutBlock
from mbm_keras.layers import MoveBoxes
from mbm_keras.layers import PixelValues
from mbm_keras.layers import SampleGrid
from mbm_keras.layers import SentenceDecoder
from mbm_keras.layers import ToWindows
from mbm_keras.layers import WordMask
from mbm_keras.layers import WordVectors
from mbm_keras.layers.page_boxes import BOX
from mbm_keras.preset import Preset
from mbm_keras.tasks import Task
from mbm_keras.tasks import TaskModel
from mbm_keras.tasks import Understanding
from mbm_keras.towers.encode import list_inputs

_PAGE = InputSpec(
    "page", "page", {"vocabulary_size": 20, "num_characters": 12, "word_length": 4}
)
_SCAN = InputSpec("scan", "image", {"size": 16})
_TAGS = tuple("abcdefgh")
_KERNEL = 5  # words of a convolution

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
            num_convolutions=1,
            picture_filters=(4,),
            dropout=0.0,
            word_dropout=0.0,
        )
    ),
    # 1.1 M weights, and 96 more for each word of the vocabulary.
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
    num_convolutions: int = 3,
    dropout: float = 0.3,
    word_dropout: float = 0.3,
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
        num_convolutions: int >= 0, convolutions over five words in reading order.
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
    moved = MoveBoxes()(page)  # in training alone
    x = _page_tower(spec, width, word_width, filters, layout, word_dropout)(moved)

    # === Picture ===
    for image in (x for x in inputs if x.modality == "image"):
        size = image.sizes["size"]
        scan = keras.Input((size, size, 3), dtype="float32", name=image.key)
        given[image.key] = scan
        grid = _picture_tower(image, picture_filters, dropout)(scan)
        seen = layers.Dense(width)(SampleGrid()([grid, page]))
        x = layers.Add()([x, seen])  # (batch, words, width)

    # === Neighbors in reading order ===
    x = layers.Dropout(dropout)(x)
    is_word = ops.cast(mask, x.dtype)[:, :, None]
    for _ in range(num_convolutions):
        y = layers.LayerNormalization(epsilon=1e-6)(x) * is_word
        y = layers.Conv1D(width, _KERNEL, padding="same", activation="gelu")(y)
        x = x + layers.Dropout(dropout)(y)

    # === Layout ===
    heads = width // _head_width(width)
    states = ToWindows(window)(x)  # (windows, steps, width)
    pages = ToWindows(window)(moved)
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
