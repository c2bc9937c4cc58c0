"""MulT: a transformer for every direction between two modalities.

Tsai et al. 2019, "Multimodal Transformer for Unaligned Multimodal Language Sequences",
https://arxiv.org/abs/1906.00295, as in the authors' code. Deviations: any inputs, with
the towers of this library where the paper maps precomputed features; padding is left
out, and the state of the last step before it is used, where the authors have sequences
that were cut to length; every step attends to all steps, while theirs, by default,
attends to none after it; one rate of dropout, without dropout of attention
weights. The presets "mosi" and "mosei" take the paper's features.

    input i --> <key>_tower --> tokens t_i * sqrt(width) + positions
    t_i, t_j --> cross-modal blocks from j to i ---------------.  for every j != i
    the results for i, concatenated, * sqrt(their width)       |
    + positions --> blocks --> last step ----------------------+
    all last steps, concatenated --> dense, dense, + --> head
"""

import functools
from collections.abc import Mapping
from collections.abc import Sequence

import keras
import numpy as np
from keras import layers
from keras import ops

from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import output_name
from mbm_keras.layers import AttentionBlock
from mbm_keras.layers import ZeroAbsent
from mbm_keras.preset import Preset
from mbm_keras.tasks import Classification
from mbm_keras.tasks import Regression
from mbm_keras.tasks import Task
from mbm_keras.tasks import TaskModel
from mbm_keras.tasks.task import check_one_output
from mbm_keras.towers import sequence_linear
from mbm_keras.towers import text_rnn
from mbm_keras.towers.encode import DEFAULTS
from mbm_keras.towers.encode import Builder
from mbm_keras.towers.encode import check_inputs
from mbm_keras.towers.encode import encode_all
from mbm_keras.towers.encode import list_inputs
from mbm_keras.towers.encode import valid_masks

TOWERS: dict[str, Builder] = {
    **DEFAULTS,
    "sequence": functools.partial(sequence_linear.build, use_bias=False),
    "text": text_rnn.build,
}
EPSILON = 1e-5  # of the normalizations, as in PyTorch
SINGLE_STEP = ("table", "vector")  # modalities whose sequence has one step

CODE = "https://github.com/yaohungt/Multimodal-Transformer"
PUBLISHED = dict(
    task=Regression("sentiment"),
    width=30,
    num_heads=5,
    num_cross_modal_blocks=5,
    num_self_blocks=5,
    presence=False,
)
PRESETS = {
    "tiny": Preset(
        dict(
            inputs=[
                InputSpec("text", "text", dict(vocabulary_size=20)),
                InputSpec("image", "image", dict(size=16)),
                InputSpec("audio", "audio", dict(frames=16, num_mel_bins=8)),
            ],
            task=Classification(3),
            width=8,
            num_heads=2,
            num_cross_modal_blocks=1,
            num_self_blocks=1,
        )
    ),
    # Words, sound and face, not aligned: a sentiment between -3 and 3.
    "mosi": Preset(
        dict(
            inputs=[
                InputSpec("text", "sequence", dict(size=300)),
                InputSpec("audio", "sequence", dict(size=5)),
                InputSpec("video", "sequence", dict(size=20)),
            ],
            **PUBLISHED,
        ),
        parameters=1_071_211,
        source=CODE,
    ),
    "mosei": Preset(
        dict(
            inputs=[
                InputSpec("text", "sequence", dict(size=300)),
                InputSpec("audio", "sequence", dict(size=74)),
                InputSpec("video", "sequence", dict(size=35)),
            ],
            **PUBLISHED,
        ),
        parameters=1_073_731,
        source=CODE,
    ),
}


@keras.saving.register_keras_serializable(package="mbm_keras.models.mult")
class ScaleAndPosition(keras.layers.Layer):
    """Scales a sequence and adds a code of its position to each step.

        out      = sqrt(width) x + [sin(t f), cos(t f)]
        f_k      = 10000^(-k / (width // 2 - 1)),       k = 0 ... width // 2 - 1

    with t the position of a step, from 1. If the width is odd, the last number of the
    code is 0.

    Source: the authors' code. Deviation: there, a step whose first number is 0 is taken
    for padding and gets no code.

    Call arguments:
        sequence: `(batch, steps, width)`, float, with its Keras mask or none.

    Returns:
        `(batch, steps, width)`, float, with the same mask.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, sequence):
        steps, width = ops.shape(sequence)[1], sequence.shape[-1]
        half = width // 2
        rate = 10_000.0 ** (-np.arange(half) / max(half - 1, 1))  # (half,)
        step = ops.expand_dims(1.0 + ops.arange(steps, dtype="float32"), -1)
        angle = step * rate.astype("float32")  # (steps, half)
        zeros = ops.zeros_like(angle[:, : width % 2])
        code = ops.concatenate([ops.sin(angle), ops.cos(angle), zeros], axis=-1)
        return width**0.5 * sequence + ops.cast(code, sequence.dtype)


@keras.saving.register_keras_serializable(package="mbm_keras.models.mult")
class LastStep(keras.layers.Layer):
    """The last valid step of a sequence.

    Call arguments:
        sequence: `(batch, steps, width)`.
        valid: `(batch, steps)` bool.

    Returns:
        `(batch, width)`; the first step where none is valid.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, sequence, valid):
        steps = ops.arange(ops.shape(valid)[1], dtype="int32")
        last = ops.max(ops.where(valid, steps, 0), axis=1)  # (batch,)
        last = ops.reshape(last, (-1, 1, 1))
        return ops.take_along_axis(sequence, last, axis=1)[:, 0]

    def compute_mask(self, sequence, mask=None):
        return None  # there are no steps after this

    def compute_output_shape(self, sequence_shape, valid_shape=None):
        return (sequence_shape[0], sequence_shape[2])


def check_fit(
    inputs: Sequence[InputSpec],
    task: Task,
    towers: Mapping[str, Builder] | None = None,
) -> None:
    """Checks that the model can take these inputs and this task.

    Args:
        inputs: As for `build`.
        task: As for `build`.
        towers: As for `build`.

    Raises:
        ValueError: If it cannot.
    """
    check_inputs(inputs, towers, TOWERS)
    check_one_output(task)
    of_one_step = [
        spec
        for spec in inputs
        if spec.modality in SINGLE_STEP and spec.name not in (towers or ())
    ]
    if len(inputs) < 2 or of_one_step:
        raise ValueError(
            "Expected two or more inputs that are sequences, such as texts, sounds or "
            f"images. Received: inputs={list_inputs(inputs)}."
        )


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Task,
    width: int = 32,
    num_heads: int = 4,
    num_cross_modal_blocks: int = 4,
    num_self_blocks: int = 3,
    dropout: float = 0.1,
    towers: Mapping[str, Builder] | None = None,
    presence: bool = True,
    name: str = "mult",
) -> keras.Model:
    """Builds the model.

    Args:
        inputs: One `InputSpec` per input, such as `Features.inputs()`.
        task: A task with one output per row.
        width: Width of a token.
        num_heads: Attention heads of a block, `width / num_heads` wide each.
        num_cross_modal_blocks: Blocks of each direction.
        num_self_blocks: Blocks over what a modality received from the others.
        dropout: Rate of dropout in blocks and before the head.
        towers: Builder by input name, instead of the default of the modality.
        presence: True for the input `present`, for rows in which an input is absent.
        name: Name of the model.

    Returns:
        A functional `keras.Model`.
        Inputs, by key of the spec. With the preset "tiny":
            text: `(batch, steps)` int32 word ids, 0 = padding.
            image: `(batch, size, size, 3)` in [0, 255] or [0, 1].
            audio: `(batch, frames, num_mel_bins)` float32, natural log of mel energy.
            present: `(batch, n)` bool in the order of the other inputs; only if
                `presence`.
        Outputs, by name of the task:
            label: `(batch, task.size)` float32.

    Raises:
        ValueError: If the model cannot take the inputs or the task, see `check_fit`; if
            `width` is not a multiple of `num_heads`.
    """
    check_fit(inputs, task, towers)

    def block():
        return AttentionBlock(
            num_heads, dropout=dropout, activation="relu", epsilon=EPSILON
        )

    def norm(x):
        return layers.LayerNormalization(epsilon=EPSILON)(x)

    def place(x):
        return layers.Dropout(dropout)(ScaleAndPosition()(x))

    # === Inputs, towers and positions ===
    tensors, tokens, present = encode_all(
        inputs,
        width=width,
        pool=False,
        presence=presence,
        towers=towers,
        defaults=TOWERS,
    )  # (batch, steps_i, width) each
    valid = valid_masks(tokens, present)  # (batch, steps_i) each
    tokens = [place(x) for x in tokens]

    # === Cross-modal transformers ===
    last = []
    for i, target in enumerate(tokens):
        received = []
        for j, source in enumerate(tokens):
            if j == i:
                continue
            x = target
            for _ in range(num_cross_modal_blocks):
                x = block()(x, source, valid[j])
            received.append(norm(x))
        # (batch, steps_i, width * (n - 1))
        x = layers.Concatenate()(received) if len(received) > 1 else received[0]
        x = place(x)
        for _ in range(num_self_blocks):
            x = block()(x, context_mask=valid[i])
        x = LastStep()(norm(x), valid[i])
        # (batch, width * (n - 1))
        last.append(x if present is None else ZeroAbsent()(x, present[:, i]))

    # === Head ===
    x = layers.Concatenate()(last)  # (batch, n * (n - 1) * width)
    y = layers.Dense(x.shape[-1], activation="relu")(x)
    y = layers.Dropout(dropout)(y)
    x = layers.Add()([x, layers.Dense(x.shape[-1])(y)])
    x = task.head(x, output_name(task.name, inputs))  # (batch, task.size)
    return TaskModel(tensors, {task.name: x}, name=name)
