"""Speech recognizer: convolutions and LSTMs, or a Conformer, with CTC.

Gulati et al. 2020, "Conformer: Convolution-augmented Transformer for Speech
Recognition", https://arxiv.org/abs/2005.08100, section 2; Graves et al. 2006,
"Connectionist Temporal Classification", https://doi.org/10.1145/1143844.1143891.
Peddinti et al. 2018, "Low Latency Acoustic Modeling Using Temporal Convolution and
LSTMs", https://doi.org/10.1109/LSP.2017.2723507; Sak et al. 2015, "Fast and Accurate
Recurrent Neural Network Acoustic Models for Speech Recognition",
https://arxiv.org/abs/1507.06947, section 5. Deviations: CTC in place of a transducer,
whose decoder the counts leave out; every recording is normalized by its own mean and
variance, so that the gain of a microphone does not count; the first frame is the middle
of the first window of a convolution; LSTMs follow the convolutions, which are residual
with batch normalization.

    tdnn_lstm  frames --> cepstra --> normalized, with slopes --> convolution of
               stride 3 --> residual convolutions --> LSTMs --> logits
    others     frames --> normalized --> two convolutions of stride 2 --> dense
               --> Conformer blocks, or LSTMs --> logits
"""

from collections.abc import Mapping
from collections.abc import Sequence

import keras
from keras import layers

from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import output_name
from mbm_keras.layers import AttachMask
from mbm_keras.layers import Cepstra
from mbm_keras.layers import ConformerBlock
from mbm_keras.layers import MaskedBatchNormalization
from mbm_keras.layers import NormalizeFrames
from mbm_keras.layers import ValidMask
from mbm_keras.layers import WithSlopes
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
_TWO = ((3, 2, 1), (3, 2, 1))
CONVOLUTIONS = {"tdnn_lstm": ((5, 3, 2),), "conformer": _TWO, "bilstm": _TWO}
ENCODERS = tuple(CONVOLUTIONS)
DEFAULT = ENCODERS[0]
_SIZES = {"audio": {"frames", "num_mel_bins"}, "sequence": {"size"}}
_FIRST_KERNEL = 5  # frames
_LITTLE = 1e-4  # of the variance of a cepstrum
_LEAST_BANDS = 7  # of which two convolutions leave one


def _make_published(parameters, depth, width, num_heads):
    """80 mel bands; 28 letters and signs, and the blank."""
    audio = InputSpec("audio", "audio", dict(frames=None, num_mel_bins=80))
    return Preset(
        dict(
            inputs=[audio],
            task=Transcription(29, space=1),
            encoder="conformer",
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
            encoder="conformer",
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
    encoder: str = DEFAULT,
    width: int = 160,
    depth: int = 4,
    num_lstms: int = 1,
    num_heads: int = 4,
    kernel_size: int = 5,
    filters: int = 32,
    dropout: float = 0.15,
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
        encoder: `"tdnn_lstm"`, `"conformer"` or `"bilstm"`.
        width: Size of a step. The two directions of LSTMs have half of it each.
        depth: Number of residual convolutions, of blocks, or of LSTMs.
        num_lstms: LSTMs after residual convolutions.
        num_heads: Attention heads of a block, of which the width is a multiple.
        kernel_size: Odd number of steps of a residual or a block's convolution.
        filters: Channels of the first convolutions, but those of `"tdnn_lstm"`.
        dropout: Rate of dropout after convolutions and LSTMs, or in the blocks.
        seed: int or None, of dropout.
        name: Name of the model.

    Returns:
        A functional `keras.Model`.
        Inputs, by key of the spec. With the preset "tiny":
            audio: `(batch, frames, num_mel_bins)` float32, natural log of mel energy;
                frames of zeros are padding, wherever `frames` is None and at the end.
        Outputs, by name of the task:
            text: `(batch, steps, task.vocabulary_size)` float32 logits, with `steps =
                ceil(frames / 3)` or 4, see `CONVOLUTIONS`, or those of the tower; zeros
                where there is padding.

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

    # === Every third or fourth frame ===
    if spec.modality == "audio":
        shape = (spec.sizes["frames"], spec.sizes["num_mel_bins"])
    else:
        shape = (None, spec.sizes["size"])
    frames = keras.Input(shape, dtype="float32", name=spec.key)
    mask = nonzero_steps(frames)  # (batch, frames)
    if encoder == "tdnn_lstm":
        x = Cepstra()(frames) if spec.modality == "audio" else frames
        x = WithSlopes()(NormalizeFrames(_LITTLE)(x, mask), mask)
        for stride in (3, 1):
            x, mask = _convolve(x, mask, width, _FIRST_KERNEL, stride)
            x = layers.Dropout(dropout, noise_shape=(None, 1, None), seed=seed)(x)
    else:
        x = NormalizeFrames()(frames, mask)
        convolve = _convolve_bands if spec.modality == "audio" else _convolve_steps
        x, mask = convolve(x, mask, filters)  # (batch, steps, features)
        x = AttachMask()([layers.Dense(width)(x), mask])
        x = layers.Dropout(dropout, seed=seed)(x)
    # (batch, steps, width)

    # === Encoder ===
    for _ in range(depth if encoder == "conformer" else 0):
        x = ConformerBlock(num_heads, kernel_size, dropout, seed)(x)
    for _ in range(depth if encoder == "tdnn_lstm" else 0):
        y, _ = _convolve(x, mask, width, kernel_size)
        x = layers.Add()([x, layers.Dropout(dropout, seed=seed)(y)])
    for _ in range({"bilstm": depth, "tdnn_lstm": num_lstms}.get(encoder, 0)):
        x = AttachMask()([x, mask])
        lstm = layers.LSTM(width // 2, return_sequences=True)
        x = layers.Bidirectional(lstm)(x)
        x = layers.Dropout(dropout, seed=seed)(x)

    # === Head ===
    x = AttachMask()([x, mask])
    x = task.head(x, output_name(task.name, inputs))  # (batch, steps, vocabulary_size)
    return TaskModel([frames], {task.name: x}, name=name)


def _convolve(x, mask, width, kernel_size, stride=1):
    """A convolution over time, of every step or every few, normalized."""
    x = layers.ZeroPadding1D(kernel_size // 2)(x)
    x = layers.Conv1D(width, kernel_size, stride, use_bias=False)(x)
    mask = mask[:, ::stride]
    x = zero_padding(MaskedBatchNormalization()(x, mask=mask), mask)
    return layers.Activation("relu")(x), mask  # (batch, steps, width)


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
