"""What a search may change in a plan, and a plan with other values.

A choice has a name: a field of `Plan`, such as `fusion`, or `input.<name>.<field>` for
the tower of an input or a size of its tower or preprocessor, such as
`input.photo.tower` or `input.photo.dropout`.
"""

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from mbm_keras.auto.plan import ASSOCIATION
from mbm_keras.auto.plan import Plan

_INPUT = "input."
# Fusions of several kinds. All of them: a space of the user's own.
_FUSIONS = ("film", "gated", "concatenation", "low_rank", "attention", "mean")
# Towers that read what a preprocessor gives.
_TOWERS = {
    "Pixels": ("image_statistics", "image_cnn", "image_resnet"),
    "LogMel": ("audio_statistics", "audio_cnn", "audio_crnn"),
    "TableRow": ("tabm", "ft_transformer", "table_mlp"),
    "WordIds": ("text_cnn", "text_rnn", "text_transformer"),
}
# Sizes that a tower has and its neighbors of the list do not.
_OWN_SIZES = {"tabm": {"num_members": 8}}
_SHARED_SIZES = ("dropout", "filters")
_FIELDS = frozenset(
    field.name
    for field in dataclasses.fields(Plan)
    if field.name
    in (
        *("fusion", "width", "stages", "fitted_heads", "unimodal_epochs"),
        *("fusion_epochs", "epochs", "batch_size", "learning_rate", "augment"),
        *("class_weight", "loss", "members", "model", "tower_rate"),
    )
)


@dataclasses.dataclass(frozen=True)
class Range:
    """Numbers between two ends, on a logarithmic scale.

    Args:
        low: The lower end, > 0.
        high: The upper end.
    """

    low: float
    high: float

    def __post_init__(self):
        if not 0 < self.low < self.high:
            raise ValueError(
                f"Expected 0 < low < high. Received: low={self.low}, high={self.high}."
            )


Space = Mapping[str, Sequence[Any] | Range]


def standard_space(plan: Plan) -> dict[str, Any]:
    """The choices that are searched if the user names none.

    Args:
        plan: The plan to begin with. Each choice has its value too.

    Returns:
        By name, the values of a choice: a tuple, or a `Range` of numbers.

    Raises:
        ValueError: If the plan has no target.
    """
    if plan.target_kind == ASSOCIATION:
        raise ValueError(
            "Expected a plan with a target to search over. Received: an association."
        )
    epochs = plan.epochs
    space: dict[str, Any] = {
        "learning_rate": Range(plan.learning_rate / 8, plan.learning_rate * 4),
        "epochs": (max(1, epochs // 2), epochs, 2 * epochs),
        "batch_size": (max(1, plan.batch_size // 2), plan.batch_size),
    }
    if plan.model == "late_fusion":
        space["width"] = (64, 128, 256)
        if len(plan.inputs) > 1:
            space |= {"fusion": _FUSIONS, "stages": ("joint", "standard")}
        for name, planned in plan.inputs.items():
            if planned.preprocessor in _TOWERS:
                space[f"{_INPUT}{name}.tower"] = _TOWERS[planned.preprocessor]
            if "dropout" in planned.tower_sizes:
                space[f"{_INPUT}{name}.dropout"] = (0.1, 0.3, 0.5)
    if any(p.modality in ("image", "audio", "video") for p in plan.inputs.values()):
        space["augment"] = (True, False)
    return {name: with_value(space[name], get(plan, name)) for name in space}


def with_value(values: Sequence[Any] | Range, value: Any) -> Any:
    """The values of a choice, and one more."""
    if isinstance(values, Range):
        return Range(min(values.low, value), max(values.high, value))
    return tuple(values) if value in values else (value, *values)


def get(plan: Plan, name: str) -> Any:
    """The value of a choice in a plan; None for a size that the plan leaves open.

    Raises:
        ValueError: If there is no such choice.
    """
    if not name.startswith(_INPUT):
        if name not in _FIELDS:
            raise ValueError(
                f"Expected one of {sorted(_FIELDS)}, or `input.<name>.<field>`, for a "
                f"search. Received: {name!r}."
            )
        return getattr(plan, name)
    planned, field = _input_of(plan, name)
    if field == "tower":
        return planned.tower
    if field in planned.sizes:
        return planned.sizes[field]
    return planned.tower_sizes.get(field)


def change(plan: Plan, values: Mapping[str, Any]) -> Plan:
    """The plan with other values.

    Args:
        plan: The plan to begin with.
        values: Value by name of the choice.

    Returns:
        A `Plan`.

    Raises:
        ValueError: If there is no such choice, or the plan cannot have such a value.
    """
    reasons = dict(plan.reasons)
    for name, value in values.items():
        if value == get(plan, name):
            continue
        reasons[name] = "found by a search"
        if name.startswith(_INPUT):
            planned, field = _input_of(plan, name)
            input_name = name.removeprefix(_INPUT).rpartition(".")[0]
            inputs = {**plan.inputs, input_name: _change_input(planned, field, value)}
            plan = dataclasses.replace(plan, inputs=inputs)
        else:
            plan = dataclasses.replace(plan, **{name: value})
    return dataclasses.replace(plan, reasons=reasons)


def _input_of(plan, name):
    input_name, _, field = name.removeprefix(_INPUT).rpartition(".")
    if input_name not in plan.inputs:
        raise ValueError(
            f"Expected an input of the plan, one of {list(plan.inputs)}, in "
            f"{name!r}. Received: {input_name!r}."
        )
    return plan.inputs[input_name], field


def _change_input(planned, field, value):
    if field == "tower":
        kept = {n: v for n, v in planned.tower_sizes.items() if n in _SHARED_SIZES}
        if planned.modality not in ("image", "audio"):
            kept.pop("filters", None)
        sizes = {**kept, **_OWN_SIZES.get(value, {})}
        return dataclasses.replace(planned, tower=value, tower_sizes=sizes)
    where = "sizes" if field in planned.sizes else "tower_sizes"
    sizes = {**getattr(planned, where), field: value}
    return dataclasses.replace(planned, **{where: sizes})
