"""Tensor Fusion Network: every product of every unit of every modality.

Zadeh et al. 2017, "Tensor Fusion Network for Multimodal Sentiment Analysis",
https://arxiv.org/abs/1707.07250. Deviations: any inputs, with the zoo's towers where
the paper has sub-networks over features that others extracted; the output has no
bounds. The preset "mosi" has those sub-networks, and the counts of the authors' code
but for the second bias of PyTorch's LSTM.

    input 1 --> <name>_tower --> embedding --.
    input 2 --> <name>_tower --> embedding --+--> outer product --> 2 dense --> head
    ...                                      |
    present ---------------------------------'
"""

import keras
from keras import layers

from mbm_keras.fusion import TensorFusion
from mbm_keras.inputs import InputSpec
from mbm_keras.tasks import classification
from mbm_keras.tasks import regression
from mbm_keras.towers import text_rnn
from mbm_keras.towers.encode import DEFAULTS
from mbm_keras.towers.encode import encode_all

TOWERS = {**DEFAULTS, "text": text_rnn.build}

PRESETS = {
    "tiny": dict(
        features=[
            InputSpec("text", "text", dict(vocabulary_size=20)),
            InputSpec("image", "image", dict(size=16)),
            InputSpec("audio", "audio", dict(frames=16, num_mel_bins=8)),
        ],
        widths=4,
        num_outputs=3,
        units=8,
    ),
    # Covarep, Facet and GloVe features of CMU-MOSI: a sentiment between -3 and 3.
    "mosi": dict(
        features=[
            InputSpec("audio", "vector", dict(size=74)),
            InputSpec("video", "vector", dict(size=47)),
            InputSpec("text", "sequence", dict(size=300)),
        ],
        widths={"audio": 32, "video": 32, "text": 128},
        num_outputs=1,
        units=128,
        head=regression.head,
        output="sentiment",
        presence=False,
    ),
}  # fmt: skip


def build(
    *,
    features,
    num_outputs,
    head=classification.head,
    output="label",
    widths=32,
    towers=None,
    units=128,
    dropout=0.2,
    presence=True,
    name="tensor_fusion_network",
):
    """Builds the model.

    Args:
        features: One dict per input, as `Features.inputs()` lists them: its `name`, its
            `modality` (`"text"`, `"image"`, `"audio"`, `"vector"` or
            `"sequence"`), and what its tower needs to know.
        num_outputs: Number of labels, or of numbers.
        head: The task's, for example `mbm_keras.tasks.classification.head`.
        output: Name of the output.
        widths: Width of an embedding, or of each by input name. The outer product has
            as many numbers as the product of all widths, each plus one.
        towers: Builder by input name, where the default of its modality will not do.
        units: Size of the two layers behind the product.
        dropout: Rate of dropout between them.
        presence: True to take the input `present`, for rows in which an input is
            absent.
        name: Name of the model.

    Returns:
        A functional `keras.Model`.
        Inputs, by name, those that `features` lists. With the preset "tiny":
            text: `(batch, steps)` int32 word ids, 0 = padding.
            image: `(batch, size, size, 3)` uint8 in [0, 255].
            audio: `(batch, frames, num_mel_bins)` float32, natural log of mel energy.
            present: `(batch, n)` bool in the order of the other inputs; only if
                `presence`.
        Outputs, by name:
            label: `(batch, num_outputs)` float32 logits.

    Raises:
        ValueError: If a modality has no tower, or the product is absurdly large.
    """
    inputs, embedded, present = encode_all(
        features,
        width=widths,
        pool=True,
        presence=presence,
        towers=towers,
        defaults=TOWERS,
    )  # (batch, width) each
    x = TensorFusion(units, inner=None, name="fusion")(embedded, present=present)
    x = layers.Dropout(dropout)(x)  # (batch, units)
    x = layers.Dense(units, activation="relu", name="hidden")(x)
    x = head(x, num_outputs, name=output)  # (batch, num_outputs)
    return keras.Model(inputs, {output: x}, name=name)
