"""Late fusion: a tower per input, any fusion, any task.

    input 1 --> <key>_tower --.
    input 2 --> <key>_tower --+--> fusion --> dropout --> hidden --> head
    ...                       |
    present ------------------'

y = head(fusion(f_1(x_1), f_2(x_2), ...)), as in Baltrusaitis et al. 2019, "Multimodal
Machine Learning: A Survey and Taxonomy", https://arxiv.org/abs/1705.09406, section 6.1.
The caller chooses the towers and the fusion.
"""

import dataclasses
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers
from keras import ops

from mbm_keras.fusion import ConcatenationFusion
from mbm_keras.inputs import PRESENT
from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import fused_output_name
from mbm_keras.inputs import gradient_name
from mbm_keras.inputs import index_name
from mbm_keras.inputs import output_names
from mbm_keras.inputs import placeholder_name
from mbm_keras.inputs import unimodal_output_name
from mbm_keras.layers import CalibratedMean
from mbm_keras.layers import GradientScale
from mbm_keras.layers import MaskedMean
from mbm_keras.layers import ModalityDropout
from mbm_keras.preset import Preset
from mbm_keras.preset import options_from
from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel
from mbm_keras.tasks import Regression
from mbm_keras.tasks import Task
from mbm_keras.tasks import TaskModel
from mbm_keras.tasks.task import check_logits
from mbm_keras.tasks.task import check_one_output
from mbm_keras.towers.encode import Builder
from mbm_keras.towers.encode import check_inputs
from mbm_keras.towers.encode import encode
from mbm_keras.towers.fitted import build_fitted

PRESETS = {
    "tiny": Preset(
        dict(
            inputs=[
                InputSpec("text", "text", dict(vocabulary_size=20)),
                InputSpec("image", "image", dict(size=16)),
                InputSpec("audio", "audio", dict(frames=16, num_mel_bins=8)),
                InputSpec("table", "table", dict(numbers=2, categories=(4,))),
            ],
            task=Classification(3),
            width=8,
        )
    ),
}


@dataclasses.dataclass(frozen=True)
class Absence:
    """What happens with absent inputs, other than that the fusion leaves them out.

    Args:
        dropout: A rate, or one for each input, at which inputs are declared absent in
            training, see `mbm_keras.layers.ModalityDropout`; None for never.
        placeholder: Class of the layer that replaces the embedding of an absent input:
            `mbm_keras.layers.LearnedPlaceholder` or `MeanPlaceholder`; None to leave
            the input out of the fusion.
    """

    dropout: float | Sequence[float] | None = None
    placeholder: Callable[..., keras.layers.Layer] | None = None


@dataclasses.dataclass(frozen=True)
class Balance:
    """Layers for methods of `mbm_keras.training` that balance the towers.

    After every tower there is a layer that scales its gradient, see
    `mbm_keras.training.AdaptiveGradientModulation`.

    Args:
        unimodal_heads: True for a head on every tower, so that each tower learns what
            its input says about the target; see
            `mbm_keras.training.for_unimodal_heads`.
        calibrate: True for the same heads, and an answer that is the
            `mbm_keras.layers.CalibratedMean` of theirs and of the fusion's, and the
            model's one output. A stage with `heads=True` trains all of them,
            `mbm_keras.training.calibrate` weighs them.
        fitted: True for more answers in that mean: a plain pipeline on each input, see
            `mbm_keras.towers.fitted`. `mbm_keras.training.fit_heads` fits them.
    """

    unimodal_heads: bool = False
    calibrate: bool = False
    fitted: bool = False


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
    check_inputs(inputs, towers)
    check_one_output(task)


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Task,
    towers: Mapping[str, Builder] | None = None,
    fusion: keras.layers.Layer | None = None,
    width: int = 128,
    hidden_units: int | None = None,
    dropout: float = 0.1,
    pool: bool | None = None,
    presence: bool = True,
    absence: Absence | Mapping[str, Any] | None = None,
    balance: Balance | Mapping[str, Any] | None = None,
    unique: bool = False,
    name: str = "late_fusion",
) -> keras.Model:
    """Builds the model.

    Args:
        inputs: One `InputSpec` per input, such as `Features.inputs()`.
        task: A task with one output per row.
        towers: Builder by input name, instead of the default of the modality:
            `{"photo": functools.partial(image_resnet.build, num_blocks=3)}`.
        fusion: A fusion layer; None for concatenation.
        width: Size of the embeddings.
        hidden_units: Size of the layer between fusion and head; None for `width`, 0 for
            no such layer.
        dropout: Rate of dropout on the fused embedding and before the head.
        pool: True to fuse one embedding per input, False to fuse sequences; None for
            what the fusion takes.
        presence: True for the input `present`, for rows in which an input is absent.
        absence: What happens with absent inputs, or its fields by name; None to leave
            them out of the fusion.
        balance: Layers for balanced training of the towers, or its fields by name; None
            for none.
        unique: True for batches with every value once, such as one image for ten
            questions. Each tower then runs on the unique values alone, and an input
            `<key>_index` `(batch,)` int32 says which of them a row has. The weights are
            those of the model without.
        name: Name of the model.

    Returns:
        A functional `keras.Model`.
        Inputs, by key of the spec. With the preset "tiny":
            text: `(batch, steps)` int32 word ids, 0 = padding.
            image: `(batch, size, size, 3)` in [0, 255] or [0, 1].
            audio: `(batch, frames, num_mel_bins)` float32, natural log of mel energy.
            table: `(batch, columns)` float32, see `table_mlp`.
            present: `(batch, n)` bool in the order of the other inputs; only if
                `presence`.
        Outputs, by name of the task:
            label: `(batch, task.size)` float32. With `unimodal_heads` also
                `<key>_label` for every input, in the same shape.

    Raises:
        ValueError: If the model cannot take the inputs or the task, see `check_fit`; if
            there is `absence` without `presence`, `fitted` without `calibrate`, or
            `calibrate` with a task whose outputs are probabilities.
    """
    check_fit(inputs, task, towers)
    balance = None if balance is None else options_from(Balance, balance)
    _check_options(task, presence, absence, balance)
    absence = options_from(Absence, absence)
    calibrate = balance is not None and balance.calibrate
    fusion = fusion or ConcatenationFusion(width)
    pool = not fusion.takes_sequences if pool is None else pool

    # === Inputs and towers ===
    present: Any = None
    kept: Any = None
    if presence:
        present = kept = keras.Input((len(inputs),), dtype="bool", name=PRESENT)
    tensors, encoded = [], []
    fitted: dict[tuple[int | None, str], Any] = {}
    for i, spec in enumerate(inputs):
        x, y = encode(
            spec,
            width=width,
            pool=pool,
            present=present[:, i] if presence and not unique else None,
            towers=towers,
        )  # (batch, width) or (batch, n, width)
        tensors.append(x)
        answers = {}  # by kind of head
        if balance is not None and balance.fitted:
            heads = build_fitted(spec, x, task.size, scale=_scale(task))
            answers = {kind: head(x) for kind, head in heads.items()}
        if unique:
            index = keras.Input((), dtype="int32", name=index_name(spec.key))
            tensors.append(index)
            y = ops.take(y, index, axis=0)  # from (unique values, ...) to (batch, ...)
            answers = {kind: ops.take(z, index, axis=0) for kind, z in answers.items()}
        fitted |= {(i, kind): z for kind, z in answers.items()}
        if balance is not None:
            y = GradientScale(name=gradient_name(spec.key))(y)
        encoded.append(y)

    # === Absent inputs ===
    if absence.dropout is not None:
        kept = ModalityDropout(absence.dropout, name="modality_dropout")(present)
    if absence.placeholder is not None:
        encoded = [
            absence.placeholder(name=placeholder_name(spec.key))(x, kept[:, i])
            for i, (spec, x) in enumerate(zip(inputs, encoded, strict=True))
        ]  # (batch, width) each
        kept = None  # each row has an embedding of every input now

    # === Heads of single inputs ===
    outputs = [unimodal_output_name(spec.key, task.name) for spec in inputs]
    fused = fused_output_name(task.name)
    names = output_names([task.name, fused, *outputs], [spec.key for spec in inputs])
    unimodal = {}
    if balance is not None and (balance.unimodal_heads or calibrate):
        for output, x in zip(outputs, encoded, strict=True):
            x = MaskedMean()(x) if len(x.shape) == 3 else x  # (batch, width)
            unimodal[output] = task.head(x, names[output])  # (batch, task.size)

    # === Fusion and head ===
    x = fusion(encoded, present=kept)  # (batch, fusion units)
    x = layers.Dropout(dropout)(x)
    if hidden_units != 0:
        hidden = layers.Dense(hidden_units or width, activation="relu", name="hidden")
        x = layers.Dropout(dropout)(hidden(x))  # (batch, hidden units)
    if calibrate:
        x = task.head(x, names[fused])  # (batch, task.size)
        several: dict[tuple[int | None, str], Any] = {
            (i, "tower"): head for i, head in enumerate(unimodal.values())
        }
        several |= {**fitted, (None, "fusion"): x}
        center = task.mean if isinstance(task, Regression) else None
        mean = CalibratedMean(list(several), center)
        x = mean(list(several.values()), present)  # (batch, task.size)
        answer = layers.Identity(dtype="float32", name=names[task.name])
        x, unimodal = answer(x), {}
    else:
        x = task.head(x, names[task.name])  # (batch, task.size)

    if presence:
        tensors.append(present)
    return TaskModel(tensors, {task.name: x, **unimodal}, name=name)


def _check_options(task, presence, absence, balance):
    if absence is not None and not presence:
        raise ValueError(
            "Expected presence=True, since without it no input is ever absent. "
            f"Received: presence={presence}, absence={absence}."
        )
    if balance is not None and balance.calibrate:
        check_logits(task)
    elif balance is not None and balance.fitted:
        raise ValueError(
            "Expected calibrate=True, since fitted heads are answers in the calibrated "
            f"mean. Received: balance={balance}."
        )


def _scale(task):
    """What the answers of a task are, see `mbm_keras.layers.FittedTrees`."""
    if isinstance(task, Classification):
        return "probability"
    return "share" if isinstance(task, MultiLabel) else "answer"
