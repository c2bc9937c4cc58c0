"""Low-rank Multimodal Fusion: the tensor fusion network without its tensor.

Liu et al. 2018, "Efficient Low-rank Multimodal Fusion with Modality-Specific Factors",
https://arxiv.org/abs/1806.00064. Deviations: any inputs, with the zoo's towers where
the paper has sub-networks over features that others extracted. The presets "mosi" and
"tfn_features" have those sub-networks, and the counts of the authors' code but for the
second bias of PyTorch's LSTM.

    input 1 --> <name>_tower --> embedding --.
    input 2 --> <name>_tower --> embedding --+--> LowRankFusion = output
    ...                                      |
    present ---------------------------------'
"""

import keras

from mbm_keras.fusion import LowRankFusion
from mbm_keras.inputs import InputSpec
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
        widths=8,
        num_outputs=3,
    ),
    # Features of CMU-MOSI: a sentiment between -3 and 3.
    "mosi": dict(
        features=[
            InputSpec("audio", "vector", dict(size=5)),
            InputSpec("video", "vector", dict(size=20)),
            InputSpec("text", "sequence", dict(size=300)),
        ],
        widths={"audio": 4, "video": 16, "text": 64},
        num_outputs=1,
        output="sentiment",
        presence=False,
    ),
    # With the features of the tensor fusion network.
    "tfn_features": dict(
        features=[
            InputSpec("audio", "vector", dict(size=74)),
            InputSpec("video", "vector", dict(size=47)),
            InputSpec("text", "sequence", dict(size=300)),
        ],
        widths={"audio": 32, "video": 32, "text": 64},
        num_outputs=1,
        output="sentiment",
        presence=False,
    ),
}  # fmt: skip


def build(
    *,
    features,
    num_outputs,
    output="label",
    widths=32,
    rank=4,
    towers=None,
    presence=True,
    name="low_rank_fusion",
):
    """Builds the model.

    Args:
        features: One dict per input, as `Features.inputs()` lists them: its `name`, its
            `modality`, and what its tower needs to know.
        num_outputs: Number of labels, or of numbers: the fusion gives them itself.
        output: Name of the output.
        widths: Width of an embedding, or of each by input name.
        rank: Number of products; 1 to 16 in the paper.
        towers: Builder by input name, where the default of its modality will not do.
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
            label: `(batch, num_outputs)` float32 logits, or numbers.

    Raises:
        ValueError: If a modality has no tower.
    """
    inputs, embedded, present = encode_all(
        features,
        width=widths,
        pool=True,
        presence=presence,
        towers=towers,
        defaults=TOWERS,
    )  # (batch, width) each
    fusion = LowRankFusion(num_outputs, rank, dtype="float32", name=output)
    x = fusion(embedded, present=present)  # (batch, num_outputs)
    return keras.Model(inputs, {output: x}, name=name)
