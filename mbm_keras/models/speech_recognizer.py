"""Speech recognizer: a Conformer or a bidirectional LSTM over a spectrogram, with CTC.

Gulati et al. 2020, "Conformer: Convolution-augmented Transformer for Speech
Recognition", https://arxiv.org/abs/2005.08100, section 2; Graves et al. 2006,
"Connectionist Temporal Classification", https://doi.org/10.1145/1143844.1143891.
Deviations: CTC in place of a transducer, whose decoder the counts leave out; every
recording is normalized by its own mean and variance, so that the gain of a microphone
does not count; the first frame is the middle of the first window of a convolution.

    frames --> normalized --> two convolutions of stride 2 --> dense
           --> Conformer blocks, or LSTMs --> logits of every fourth frame
"""

from collections.abc import Mapping
from collections.abc import Sequence

import keras
from keras import layers

from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import output_name
from mbm_keras.layers import AttachMask
from mbm_keras.layers import ConformerBlock
from mbm_keras.layers import NormalizeFrames
from mbm_keras.layers import ValidMask
from mbm_keras.layers import halve_mask
from mbm_keras.layers import nonzero_steps
from mbm_keras.layers import zero_padding
from mbm_keras.preset import Preset
from mbm_keras.tasks import Task
from mbm_keras.tasks import TaskModel
from mbm_keras.tasks import Transcription
from mbm_keras.towers.encode import Builder
from mbm_keras.towers.encode import check_inputs
from mbm_keras.towers.encode import encode
from mbm_keras.towers.encode import list_inputs

# Kernel, stride and padding at each side of what is between frames and steps.
CONVOLUTIONS = ((3, 2, 1), (3, 2, 1))
ENCODERS = ("conformer", "bilstm")
_SIZES = {"audio": {"frames", "num_mel_bins"}, "sequence": {"size"}}
_LEAST_BANDS = 7  # of which two convolutions leave one


def _make_published(parameters, depth, width, num_heads):
    """80 mel bands; 28 letters and signs, and the blank."""
    audio = InputSpec("audio", "audio", dict(frames=None, num_mel_bins=80))
    return Preset(
        dict(
            inputs=[audio],
            task=Transcription(29, space=1),
            width=width,
            depth=depth,
            num_heads=num_heads,
            kernel_size=31,
            filters=width,
        ),
        # Of the encoder alone, and a dense layer to 29 symbols.
        parameters=parameters + (width + 1) * 29,
        source="https://arxiv.org/abs/2005.08100, table 1",
    )


PRESETS = {
    "tiny": Preset(
        dict(
            inputs=[
                InputSpec("audio", "audio", dict(frames=None, num_mel_bins=8)),
            ],
            task=Transcription(6, space=1),
            width=8,
            depth=1,
            num_heads=2,
            kernel_size=3,
            filters=4,
        )
    ),
    "conformer_s": _make_published(8_690_112, 16, 144, 4),
    "conformer_m": _make_published(27_261_952, 16, 256, 4),
    "conformer_l": _make_published(114_849_280, 17, 512, 8),
}


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
    if not isinstance(task, Transcription):
        raise ValueError(f"Expected a task Transcription. Received: task={task}.")
    if towers:
        check_inputs(inputs, towers)
        if len(inputs) > 1:
            raise ValueError(
                "Expected one sound and no other input. "
                f"Received: inputs={list_inputs(inputs)}."
            )
        return
    modalities = [spec.modality for spec in inputs]
    fits = modalities in [[name] for name in _SIZES]
    if not fits or set(inputs[0].sizes) != _SIZES[modalities[0]]:
        raise ValueError(
            "Expected one sound and no other input, with the sizes frames and "
            "num_mel_bins; or a sequence with the size: size. Received: "
            f"inputs={list_inputs(inputs)}, "
            f"sizes={[dict(spec.sizes) for spec in inputs]}."
        )
    if inputs[0].sizes.get("num_mel_bins", _LEAST_BANDS) < _LEAST_BANDS:
        raise ValueError(
            f"Expected {_LEAST_BANDS} bands or more, since two convolutions halve "
            f"them. Received: sizes={dict(inputs[0].sizes)}."
        )


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Transcription,
    towers: Mapping[str, Builder] | None = None,
    encoder: str = "conformer",
    width: int = 96,
    depth: int = 4,
    num_heads: int = 4,
    kernel_size: int = 15,
    filters: int = 32,
    dropout: float = 0.1,
    seed: int | None = None,
    name: str = "speech_recognizer",
) -> keras.Model:
    """Builds the model.

    Args:
        inputs: The `InputSpec` of one sound, as `preprocessing.LogMel` makes it, or of
            a `"sequence"` of other vectors, such as mel cepstra.
        task: A `Transcription`.
        towers: Builder by input name of a tower that gives steps, such as
            `towers.pretrained` of wav2vec 2.0, HuBERT or Whisper, instead of
            convolutions and encoder. It may take the samples of a sound, `"wave"`.
        encoder: `"conformer"` or `"bilstm"`.
        width: Size of a step. The two directions of LSTMs have half of it each.
        depth: Number of blocks, or of LSTMs.
        num_heads: Attention heads of a block, of which the width is a multiple.
        kernel_size: Odd number of steps of a block's convolution.
        filters: Channels of the first convolutions.
        dropout: Rate of dropout in the blocks, or after each LSTM.
        seed: int or None, of dropout.
        name: Name of the model.

    Returns:
        A functional `keras.Model`.
        Inputs, by key of the spec. With the preset "tiny":
            audio: `(batch, frames, num_mel_bins)` float32, natural log of mel energy;
                frames of zeros are padding, wherever `frames` is None and at the end.
        Outputs, by name of the task:
            text: `(batch, steps, task.vocabulary_size)` float32 logits, with `steps =
                ceil(frames / 4)`, or those of the tower; zeros where there is padding.

    Raises:
        ValueError: If the model cannot take the input or the task, see `check_fit`; if
            a size is below 1, or there is no such encoder.
    """
    check_fit(inputs, task, towers)
    if min(width, depth, filters) < 1 or encoder not in ENCODERS or width % 2:
        raise ValueError(
            f"Expected encoder in {ENCODERS}, sizes >= 1 and an even width. Received: "
            f"encoder={encoder!r}, width={width}, depth={depth}, filters={filters}."
        )
    (spec,) = inputs

    # === Tower ===
    if towers:
        frames, x = encode(spec, width=None, pool=False, towers=towers)
        mask = ValidMask()(x)  # (batch, steps)
        x = AttachMask()([layers.Dropout(dropout, seed=seed)(x), mask])
        x = task.head(x, output_name(task.name, inputs))
        return TaskModel([frames], {task.name: x}, name=name)

    # === Every fourth frame ===
    if spec.modality == "audio":
        shape = (spec.sizes["frames"], spec.sizes["num_mel_bins"])
    else:
        shape = (None, spec.sizes["size"])
    frames = keras.Input(shape, dtype="float32", name=spec.key)
    mask = nonzero_steps(frames)  # (batch, frames)
    x = NormalizeFrames()(frames, mask)
    convolve = _convolve_bands if spec.modality == "audio" else _convolve_steps
    x, mask = convolve(x, mask, filters)  # (batch, steps, features)
    x = AttachMask()([layers.Dense(width)(x), mask])  # (batch, steps, width)
    x = layers.Dropout(dropout, seed=seed)(x)

    # === Encoder ===
    for _ in range(depth):
        if encoder == "conformer":
            x = ConformerBlock(num_heads, kernel_size, dropout, seed)(x)
        else:
            lstm = layers.LSTM(width // 2, return_sequences=True)
            x = layers.Bidirectional(lstm)(x)
            x = layers.Dropout(dropout, seed=seed)(x)

    # === Head ===
    x = AttachMask()([x, mask])
    x = task.head(x, output_name(task.name, inputs))  # (batch, steps, vocabulary_size)
    return TaskModel([frames], {task.name: x}, name=name)


def _convolve_bands(x, mask, filters):
    """Two convolutions over time and bands, each of which halves both."""
    bands = x.shape[2]
    x = layers.Reshape((-1, bands, 1))(x)  # (batch, frames, bands, 1)
    for _ in range(2):
        # A frame before the first and one after the last; bands are not padded.
        x = layers.ZeroPadding2D(((1, 1), (0, 0)))(x)
        x = layers.Conv2D(filters, 3, 2, activation="relu")(x)
        mask = halve_mask(mask)
        x = zero_padding(x, mask)
    # (batch, steps, bands * filters)
    return layers.Reshape((-1, x.shape[2] * x.shape[3]))(x), mask


def _convolve_steps(x, mask, filters):
    """Two convolutions over time, each of which halves it."""
    for _ in range(2):
        x = layers.ZeroPadding1D(1)(x)
        x = layers.Conv1D(filters, 3, 2, activation="relu")(x)
        mask = halve_mask(mask)
        x = zero_padding(x, mask)
    return x, mask  # (batch, steps, filters)
