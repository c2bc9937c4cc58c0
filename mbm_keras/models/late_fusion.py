"""Late fusion: a tower per input, any fusion, any task.

    input 1 --> <name>_tower --.
    input 2 --> <name>_tower --+--> fusion --> dropout --> hidden --> head
    ...                        |
    present -------------------'

y = head(fusion(f_1(x_1), f_2(x_2), ...)), the shape of Baltrusaitis et al. 2019,
"Multimodal Machine Learning: A Survey and Taxonomy",
https://arxiv.org/abs/1705.09406, section 6.1, with the choice of towers and fusion
left to the caller.
"""

import keras
from keras import layers
from keras import ops

from mbm_keras.fusion import ConcatenationFusion
from mbm_keras.inputs import InputSpec
from mbm_keras.layers import GradientScale
from mbm_keras.layers import MaskedMean
from mbm_keras.layers import ModalityDropout
from mbm_keras.tasks import classification
from mbm_keras.towers.encode import encode

PRESETS = {
    "tiny": dict(
        features=[
            InputSpec("text", "text", dict(vocabulary_size=20)),
            InputSpec("image", "image", dict(size=16)),
            InputSpec("audio", "audio", dict(frames=16, num_mel_bins=8)),
            InputSpec("table", "table", dict(numbers=2, categories=(4,))),
        ],
        num_outputs=3,
        width=8,
    ),
}  # fmt: skip


def build(
    *,
    features,
    num_outputs,
    head=classification.head,
    output="label",
    towers=None,
    fusion=None,
    width=128,
    dropout=0.1,
    pool=None,
    presence=True,
    modality_dropout=None,
    placeholder=None,
    unimodal_heads=False,
    modulated=False,
    unique=False,
    name="late_fusion",
):
    """Builds the model.

    Args:
        features: One dict per input, as `Features.inputs()` lists them: its `name`,
            its `modality` (`"text"`, `"image"`, `"audio"`, `"video"`, `"points"` or
            `"table"`), and what the tower of that modality needs to know, such as
            `vocabulary_size`.
        num_outputs: Number of labels, or of numbers.
        head: The task's, for example `mbm_keras.tasks.classification.head`.
        output: Name of the output.
        towers: Builder by input name, where the default of its modality will not
            do: `{"photo": functools.partial(image_resnet.build, num_blocks=3)}`.
        fusion: A fusion layer; None for concatenation.
        width: Size of the embeddings and of the hidden layer.
        dropout: Rate of dropout on the fused embedding and in the head.
        pool: True to fuse one embedding per input, False to fuse sequences; None for
            what the fusion asks for.
        presence: True to take the input `present`, for rows in which an input is
            absent.
        modality_dropout: A rate, or one for each input, at which inputs are declared
            absent in training, see `mbm_keras.layers.ModalityDropout`; None for never.
        placeholder: What makes the layer that stands in for an absent embedding:
            `mbm_keras.layers.LearnedPlaceholder` or `MeanPlaceholder`; None to leave
            it out, which is the fusion's business.
        unimodal_heads: True for a head of its own on every tower, so that each learns
            what its input tells beside what they tell together; see
            `mbm_keras.training.for_unimodal_heads`. Implies `modulated`.
        modulated: True for a layer `<name>_gradient` behind every tower, by which its
            gradient is scaled; see `mbm_keras.training.AdaptiveGradientModulation`.
        unique: True for batches in which a value that several rows share, such as
            one picture with ten questions, stands once: each tower then runs on the
            distinct values alone, and an input `<name>_index` `(batch,)` int32 says
            which of them a row has. The weights are those of the plain model.
        name: Name of the model.

    Returns:
        A functional `keras.Model`.
        Inputs, by name, those that `features` lists. With the preset "tiny":
            text: `(batch, steps)` int32 word ids, 0 = padding.
            image: `(batch, size, size, 3)` uint8 in [0, 255].
            audio: `(batch, frames, num_mel_bins)` float32, natural log of mel energy.
            table: `(batch, columns)` float32, see `table_mlp`.
            present: `(batch, n)` bool in the order of the other inputs; only if
                `presence`.
        Outputs, by name:
            label: `(batch, num_outputs)` float32 logits. If `unimodal_heads` also
            `<name>_label` for every input, in the same shape.

    Raises:
        ValueError: If there is no feature, two have one name, a modality has no
            default tower, or `towers` names an input that is not there; if inputs are
            to be dropped or stood in for without `presence`.
    """
    towers, fusion = dict(towers or {}), fusion or ConcatenationFusion(width)
    names = [feature.name for feature in features]
    if not names or len(set(names)) < len(names) or not set(towers) <= set(names):
        raise ValueError(
            "`features` must have at least one input, each with a name of its own, "
            "and `towers` no other names. Received: "
            f"features={names}, towers={sorted(towers)}."
        )

    if not presence and (modality_dropout is not None or placeholder is not None):
        raise ValueError(
            "Without `presence` no input is ever absent. Received: modality_dropout="
            f"{modality_dropout}, placeholder={placeholder}."
        )

    pool = not fusion.takes_sequences if pool is None else pool
    present = here = None
    if presence:
        present = here = keras.Input((len(names),), dtype="bool", name="present")
    inputs, encoded = [], []
    for i, feature in enumerate(features):
        # (batch, width) or (batch, places, width)
        x, y = encode(
            feature,
            width=width,
            pool=pool,
            present=present[:, i] if presence and not unique else None,
            towers=towers,
        )
        inputs.append(x)
        if unique:
            place = keras.Input((), dtype="int32", name=f"{feature.name}_index")
            inputs.append(place)
            y = ops.take(y, place, axis=0)  # from (distinct, ...) to (batch, ...)
        if unimodal_heads or modulated:
            y = GradientScale(name=f"{feature.name}_gradient")(y)
        encoded.append(y)

    if modality_dropout is not None:
        here = ModalityDropout(modality_dropout, name="modality_dropout")(present)
    if placeholder is not None:
        encoded = [
            placeholder(name=f"{name}_placeholder")(x, here[:, i])
            for i, (name, x) in enumerate(zip(names, encoded, strict=True))
        ]
        here = None  # everything is there now
    heads = {}
    for key, y in zip(names, encoded, strict=True) if unimodal_heads else ():
        y = MaskedMean()(y) if len(y.shape) == 3 else y  # (batch, width)
        heads[f"{key}_{output}"] = head(y, num_outputs, name=f"{key}_{output}")
    x = fusion(encoded, present=here)  # (batch, fusion units)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(width, activation="relu", name="hidden")(x)  # (batch, width)
    x = layers.Dropout(dropout)(x)
    x = head(x, num_outputs, name=output)  # (batch, num_outputs)

    if presence:
        inputs.append(present)
    return keras.Model(inputs, {output: x, **heads}, name=name)
