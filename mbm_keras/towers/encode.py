"""From inputs to what their towers make of them."""

import keras

from mbm_keras.layers import ValidMask
from mbm_keras.layers import ZeroAbsent
from mbm_keras.towers import audio_cnn
from mbm_keras.towers import image_cnn
from mbm_keras.towers import points_net
from mbm_keras.towers import sequence_rnn
from mbm_keras.towers import table_mlp
from mbm_keras.towers import text_cnn
from mbm_keras.towers import vector_mlp
from mbm_keras.towers import video_cnn

DEFAULTS = {
    "audio": audio_cnn.build,
    "image": image_cnn.build,
    "points": points_net.build,
    "sequence": sequence_rnn.build,
    "table": table_mlp.build,
    "text": text_cnn.build,
    "vector": vector_mlp.build,
    "video": video_cnn.build,
}


def encode(feature, *, width, pool, present=None, towers=None, defaults=DEFAULTS):
    """An input of a model, and what its tower makes of it.

    Args:
        feature: As `Features.inputs()` lists them: its `name`, its `modality`, and what
            the tower of that modality needs to know.
        width: Size of what the tower gives, or a dict of sizes by input name.
        pool: True for an embedding, False for a sequence.
        present: `(batch,)` bool, where rows may lack this input: the tower then sees
            zeros, whatever stands there.
        towers: Builder by input name, where the default of its modality will not do.
        defaults: Builder by modality.

    Returns:
        A `keras.Input` and a tensor `(batch, width)` or `(batch, places, width)`.

    Raises:
        ValueError: If neither has a builder for it.
    """
    name, modality = feature["name"], feature["modality"]
    builder = (towers or {}).get(name) or defaults.get(modality)
    if builder is None:
        raise ValueError(
            f"There is a default tower for {sorted(defaults)}. Give another "
            f"modality its builder in `towers`. Received: feature={feature}."
        )
    sizes = {k: v for k, v in feature.items() if k not in ("name", "modality")}
    width = width[name] if isinstance(width, dict) else width
    tower = builder(**sizes, width=width, pool=pool, name=name)
    (x,) = tower.inputs
    given = x = keras.Input(x.shape[1:], dtype=x.dtype, name=name)
    if present is not None:
        x = ZeroAbsent(name=f"{name}_present")(x, present)
    return given, tower(x)


def encode_all(features, *, width, pool, presence, towers=None, defaults=DEFAULTS):
    """All inputs of a model, and what their towers make of them.

    Args:
        features: One dict per input, see `encode`.
        width: As for `encode`.
        pool: As for `encode`, or a dict by input name.
        presence: True for one more input, `present` `(batch, n)` bool.
        towers: As for `encode`.
        defaults: As for `encode`.

    Returns:
        A list of `keras.Input`, `present` the last of them; a list of tensors, one for
        each feature; and `present`, or None.

    Raises:
        ValueError: If there is no builder for one of them.
    """
    present = None
    if presence:
        present = keras.Input((len(features),), dtype="bool", name="present")
    inputs, encoded = [], []
    for i, feature in enumerate(features):
        x, y = encode(
            feature,
            width=width,
            pool=pool[feature["name"]] if isinstance(pool, dict) else pool,
            present=present[:, i] if presence else None,
            towers=towers,
            defaults=defaults,
        )
        inputs.append(x)
        encoded.append(y)
    return [*inputs, present] if presence else inputs, encoded, present


def valid_masks(sequences, present):
    """Which places count: no padding, in rows that have the input.

    Args:
        sequences: List of `n` tensors `(batch, places_i, width)`.
        present: `(batch, n)` bool, or None if everything is present.

    Returns:
        A list of `(batch, places_i)` bool.
    """
    return [
        ValidMask()(x, None if present is None else present[:, i])
        for i, x in enumerate(sequences)
    ]
