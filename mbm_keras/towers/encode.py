"""From a list of inputs to what their towers make of them."""

import keras

from mbm_keras.layers import OnlyPresent
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
        x = OnlyPresent(name=f"{name}_present")(x, present)
    return given, tower(x)
