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
from mbm_keras.layers import OnlyPresent
from mbm_keras.tasks import classification
from mbm_keras.tasks import regression
from mbm_keras.towers import audio_cnn
from mbm_keras.towers import image_cnn
from mbm_keras.towers import text_rnn


def vector_tower(size, *, width=32, dropout=0.2, name="vector"):
    """The paper's sub-network of a vector that was extracted from sound or picture.

    Args:
        size: Width of the vector.
        width: Size of its three layers.
        dropout: Rate of dropout in front of them.
        name: Name of the input.

    Returns:
        A functional `keras.Model` from `(batch, size)` float32 to `(batch, width)`.
    """
    vector = keras.Input((size,), name=name)
    x = layers.BatchNormalization()(vector)
    x = layers.Dropout(dropout)(x)
    for _ in range(3):
        x = layers.Dense(width, activation="relu")(x)
    return keras.Model([vector], x, name=f"{name}_tower")


def word_vectors_tower(size, *, width=128, units=128, dropout=0.2, name="text"):
    """The paper's sub-network of a sentence whose words are vectors.

    Args:
        size: Width of a word vector; words of zeros are padding.
        width: Size of the embedding.
        units: Size of the LSTM.
        dropout: Rate of dropout behind it.
        name: Name of the input.

    Returns:
        A functional `keras.Model` from `(batch, steps, size)` float32 to
        `(batch, width)`.
    """
    words = keras.Input((None, size), name=name)
    x = layers.LSTM(units)(layers.Masking()(words))
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(width)(x)
    return keras.Model([words], x, name=f"{name}_tower")


TOWERS = {
    "audio": audio_cnn.build,
    "image": image_cnn.build,
    "text": text_rnn.build,
    "vector": vector_tower,
    "word_vectors": word_vectors_tower,
}

PRESETS = {
    "tiny": dict(
        features=[
            dict(name="text", modality="text", vocabulary_size=20),
            dict(name="image", modality="image", size=16),
            dict(name="audio", modality="audio", frames=16, num_mel_bins=8),
        ],
        widths=4,
        num_outputs=3,
        units=8,
    ),
    # Covarep, Facet and GloVe features of CMU-MOSI: a sentiment between -3 and 3.
    "mosi": dict(
        features=[
            dict(name="audio", modality="vector", size=74),
            dict(name="video", modality="vector", size=47),
            dict(name="text", modality="word_vectors", size=300),
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
            `"word_vectors"`), and what its tower needs to know.
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
    towers = towers or {}
    present = None
    if presence:
        present = keras.Input((len(features),), dtype="bool", name="present")
    inputs, embedded = [], []
    for i, feature in enumerate(features):
        key, modality = feature["name"], feature["modality"]
        builder = towers.get(key) or TOWERS.get(modality)
        if builder is None:
            raise ValueError(
                f"There is a tower for {sorted(TOWERS)}. Give another modality its "
                f"builder in `towers`. Received: feature={feature}."
            )
        sizes = {k: v for k, v in feature.items() if k not in ("name", "modality")}
        width = widths[key] if isinstance(widths, dict) else widths
        tower = builder(**sizes, width=width, name=key)
        (x,) = tower.inputs
        x = keras.Input(x.shape[1:], dtype=x.dtype, name=key)
        inputs.append(x)
        if presence:
            x = OnlyPresent(name=f"{key}_present")(x, present[:, i])
        embedded.append(tower(x))  # (batch, width)

    if presence:
        inputs.append(present)
    x = TensorFusion(units, inner=None, name="fusion")(embedded, present=present)
    x = layers.Dropout(dropout)(x)  # (batch, units)
    x = layers.Dense(units, activation="relu", name="hidden")(x)
    x = head(x, num_outputs, name=output)  # (batch, num_outputs)
    return keras.Model(inputs, {output: x}, name=name)
