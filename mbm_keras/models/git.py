"""GIT: one transformer over the steps of an image and the words about it.

Wang et al. 2022, "GIT: A Generative Image-to-text Transformer for Vision and Language",
https://arxiv.org/abs/2205.14100, section 3.1.

    image --> image_tower --> projection and normalization --> v_1 .. v_n
    transformer(v_1 .. v_n, start, y_1 .. y_{t-1}) --> p(y_t)
    v sees all of v; a word sees v, the words before it and itself

Deviations: any tower for the image, which learns from scratch, in place of one that was
trained by contrast; the normalization comes before each half of a block, and after the
last, where the authors' code has it after each half and after the embeddings, with as
many weights; the output has the embeddings of the words, theirs a matrix of its own; no
dropout of the attention weights. `blocks` with `num_positions=None` has rotary
positions, which count the steps of the image too.

`build` returns the model that trains on captions, `writer` the model that writes them.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras

from mbm_keras.inputs import InputSpec
from mbm_keras.layers import DecoderSizes
from mbm_keras.models import text_decoder
from mbm_keras.models.show_attend_tell import regions_tower
from mbm_keras.models.text_decoder import for_inference
from mbm_keras.models.text_decoder import writer
from mbm_keras.preset import Preset
from mbm_keras.tasks import Captioning
from mbm_keras.tasks import Task
from mbm_keras.towers.encode import DEFAULTS
from mbm_keras.towers.encode import Builder

__all__ = ["PRESETS", "TOWERS", "build", "check_fit", "for_inference", "writer"]

TOWERS: dict[str, Builder] = {"image": DEFAULTS["image"], "sequence": regions_tower}
PRESETS = {
    "tiny": Preset(
        dict(
            inputs=[InputSpec("image", "image", dict(size=16))],
            task=Captioning(12, 6),
            width=16,
            blocks=dict(num_blocks=2, num_heads=2, num_positions=8),
        )
    ),
    # Without the image encoder, CLIP's ViT-B/16, and the matrix of the output.
    "git_base": Preset(
        dict(
            inputs=[InputSpec("regions", "sequence", dict(size=768))],
            task=Captioning(30_523, 1_024, end=103),
            width=768,
            blocks=dict(num_blocks=6, num_heads=12, num_positions=1_024),
        ),
        parameters=67_348_224,
        source="https://huggingface.co/microsoft/git-base",
    ),
}


def check_fit(
    inputs: Sequence[InputSpec],
    task: Task,
    towers: Mapping[str, Builder] | None = None,
) -> None:
    """Compares inputs and task with what this model can be built for.

    Args:
        inputs: List of `InputSpec`.
        task: A task.
        towers: As for `build`.

    Raises:
        ValueError: If they are not one image, or the regions of one, and a
            `Captioning`.
    """
    modalities = [spec.modality for spec in inputs]
    if modalities not in [[x] for x in TOWERS] or not isinstance(task, Captioning):
        raise ValueError(
            f"Expected one input of a modality in {sorted(TOWERS)} and a task "
            f"Captioning. Received: inputs={[spec.name for spec in inputs]}, "
            f"modalities={modalities}, task={task}."
        )
    text_decoder.check_fit([], task)


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Captioning,
    width: int = 128,
    blocks: DecoderSizes | Mapping[str, Any] | None = None,
    dropout: float = 0.1,
    towers: Mapping[str, Builder] | None = None,
    name: str = "git",
) -> keras.Model:
    """Builds the model that trains on captions.

    Args:
        inputs: A list of one `InputSpec`: an image, or a `"sequence"` of regions that
            another network computed.
        task: A `Captioning`. A text begins after the id of its end.
        width: Size of the vector of a word, and of a step of the image.
        blocks: A `mbm_keras.layers.DecoderSizes`, or its fields by name, as a plan has
            them.
        dropout: Rate of dropout of words and residuals.
        towers: Builder by input name, instead of the default of its modality.
        name: Name of the model.

    Returns:
        A functional `keras.Model`.
        Inputs, by name, with the names of the preset "tiny":
            image: `(batch, size, size, 3)` in [0, 255] or [0, 1]; or regions: `(batch,
                regions, width)` float32.
            words_teacher: `(batch, length)` int32, the target: words and their end, 0
                = padding. `task.feed` adds it to a batch. A word is predicted from the
                words before it alone.
        Outputs, by name, with the name of the task:
            words: `(batch, length, vocabulary_size)` float32 logits.

    Raises:
        ValueError: See `check_fit`; or if a size is out of range.
    """
    check_fit(inputs, task, towers)
    (spec,) = inputs
    return text_decoder.build(
        inputs=inputs,
        task=task,
        condition="prefix",
        width=width,
        blocks=blocks,
        dropout=dropout,
        towers={spec.name: TOWERS[spec.modality], **(towers or {})},
        name=name,
    )
