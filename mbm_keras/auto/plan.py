"""A plan: everything that `train` will do with a table, to read, print and change.

    plan = mbm.plan("rows.csv", target="answer")
    print(plan)
    plan = dataclasses.replace(plan, fusion="gated", epochs=40)
    run = mbm.train("rows.csv", plan=plan)

A plan is plain data: it is written to the run folder, and a search over choices is a
loop over `dataclasses.replace`.
"""

import dataclasses
import html
import types
from collections.abc import Mapping
from typing import Any

_FIELDS = (
    "target_kind",
    "model",
    "fusion",
    "width",
    "stages",
    "members",
    "fitted_heads",
    "tune",
    "unimodal_epochs",
    "fusion_epochs",
    "epochs",
    "batch_size",
    "learning_rate",
    "valid_share",
    "augment",
    "class_weight",
    "loss",
    "folds",
    "minutes",
    "seed",
)
ASSOCIATION = "association"  # a kind of target without a column
ASSOCIATION_LOSSES = ("clip", "siglip")
CONTINUATION = "continuation"  # a text is the target, and what it goes on from
NUMBERS = "numbers"  # a kind of target of several columns
CLASS_WEIGHTS, LOSSES = ("balanced",), ("focal",)
OF_PAGES = ("fields", "page_tags")  # kinds of target of a page
OF_SENTENCES = ("intent", "tags", "intent_and_tags")  # kinds of target of a sentence
STAGES = ("joint", "standard")
TUNE = ("frozen", "adapters", "full")


def _frozen(values):
    return types.MappingProxyType(dict(values))


@dataclasses.dataclass(frozen=True)
class InputPlan:
    """What happens to one input of the model.

    Args:
        modality: Modality of the input; number and category columns together are one
            input of modality `"table"`.
        columns: Modality by name of the columns that it comes from.
        preprocessor: Name of the preprocessor, see `mbm_keras.preprocessing`.
        sizes: Arguments of the preprocessor.
        tower: Name of the tower, see `mbm_keras.towers`; None for the default of the
            modality.
        tower_sizes: Arguments of the tower; the preprocessor gives the others.
        reason: Why.
    """

    modality: str
    columns: Mapping[str, str]
    preprocessor: str
    sizes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    tower: str | None = None
    tower_sizes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    reason: str = ""

    def __post_init__(self):
        for name in ("columns", "sizes", "tower_sizes"):
            object.__setattr__(self, name, _frozen(getattr(self, name)))


@dataclasses.dataclass(frozen=True)
class Plan:
    """What `train` will do with a table.

    Args:
        target: Name of the column to learn.
        target_kind: `"label"`, `"labels"`, `"number"`, `"numbers"`, `"caption"`,
            `"continuation"` of a text, `"transcript"`, `"intent"`, `"tags"`,
            `"intent_and_tags"`, `"fields"` of a page, or `"page_tags"` of its words;
            `"association"` where there is no target, and the inputs of a row belong
            together.
        inputs: What happens to each input, by name.
        left_out: Why a column is not an input, by its name.
        model: Name of the model, see `mbm_keras.models`.
        fusion: Name of the fusion layer of `late_fusion`, see `mbm_keras.fusion`.
        width: Width of the embeddings.
        model_sizes: Other arguments of the model's builder.
        stages: `"joint"` for one stage in which towers, fusion and heads learn at once;
            `"standard"` for the stages of the field: each tower by itself, then the
            fusion, then everything.
        members: Number of models whose answers are averaged. With more than one, each
            validates on another part of the rows and learns from the others.
        fitted_heads: True for a plain pipeline on each input, whose answer counts next
            to those of the towers as far as it helps, see `mbm_keras.towers.fitted`.
        tune: What learns of the published encoders of `--tower`: `"frozen"` for
            nothing, and each value is encoded once; `"adapters"` for low-rank adapters;
            `"full"` for all their weights.
        tower_rate: Peak step size of their weights, if they learn.
        unimodal_epochs: Most epochs of each tower by itself; 0 to skip these stages.
        fusion_epochs: Most epochs of the fusion; 0 to skip this stage.
        epochs: Most epochs of the last stage, all towers together.
        batch_size: Rows per step.
        learning_rate: Peak step size of Adam.
        valid_share: Share of the rows for validation, where no column names the splits.
        group: Column whose values never cross splits; None for independent rows.
        augment: True for small random changes of images and sounds in training.
        class_weight: `"balanced"` for a loss in which rare labels count as much as
            frequent ones; None for rows that count alike.
        loss: `"focal"` for a loss that rests on the rows that are predicted badly; None
            for that of the task. `"clip"` or `"siglip"` for an association.
        folds: Number of folds of a cross-validation before the training; 0 for none.
        minutes: The most that training may take, once the rows are decoded; None for no
            limit. A run with a limit cannot be repeated bit for bit.
        seed: Seed of everything random.
        reasons: Why, by name of the field.
        tags: Name of the column with a tag for each word; None without.
        more_targets: Names of the other columns of several numbers or fields.
    """

    target: str
    target_kind: str
    inputs: Mapping[str, InputPlan]
    left_out: Mapping[str, str] = dataclasses.field(default_factory=dict)
    model: str = "late_fusion"
    fusion: str = "film"
    width: int = 128
    model_sizes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    stages: str = "joint"
    members: int = 1
    fitted_heads: bool = True
    tune: str = "frozen"
    tower_rate: float = 5e-5
    unimodal_epochs: int = 5
    fusion_epochs: int = 10
    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 4e-3
    valid_share: float = 0.15
    group: str | None = None
    augment: bool = True
    class_weight: str | None = None
    loss: str | None = None
    folds: int = 0
    minutes: float | None = None
    seed: int = 0
    reasons: Mapping[str, str] = dataclasses.field(default_factory=dict)
    tags: str | None = None
    more_targets: tuple[str, ...] = ()

    def __post_init__(self):
        for name in ("inputs", "left_out", "model_sizes", "reasons"):
            object.__setattr__(self, name, _frozen(getattr(self, name)))
        object.__setattr__(self, "more_targets", tuple(self.more_targets))
        if min(self.epochs, self.batch_size) < 1 or not self.learning_rate > 0:
            raise ValueError(
                "Expected epochs >= 1, batch_size >= 1 and learning_rate > 0. "
                f"Received: epochs={self.epochs}, batch_size={self.batch_size}, "
                f"learning_rate={self.learning_rate}."
            )
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"Expected 0 <= seed < 2**32. Received: seed={self.seed}.")
        self._check_imbalance()
        if self.stages not in STAGES or self.members < 1:
            raise ValueError(
                f"Expected stages in {STAGES} and members >= 1. Received: "
                f"stages={self.stages!r}, members={self.members}."
            )
        if self.tune not in TUNE or not self.tower_rate > 0:
            raise ValueError(
                f"Expected tune in {TUNE} and tower_rate > 0. Received: "
                f"tune={self.tune!r}, tower_rate={self.tower_rate}."
            )
        if self.minutes is not None and not self.minutes > 0:
            raise ValueError(f"Expected minutes > 0. Received: minutes={self.minutes}.")
        if self.target_kind in (*OF_SENTENCES, *OF_PAGES) and self.members != 1:
            raise ValueError(
                "Expected members=1 for a target of intents, tags or fields. Received: "
                f"target_kind={self.target_kind!r}, members={self.members}."
            )
        if self.folds < 0 or self.folds == 1:
            raise ValueError(f"Expected folds >= 2. Received: folds={self.folds}.")

    def _check_imbalance(self):
        if self.target_kind == ASSOCIATION:
            others = self.class_weight, self.folds, self.members, self.stages
            if self.loss not in ASSOCIATION_LOSSES or others != (None, 0, 1, "joint"):
                raise ValueError(
                    f"Expected loss in {ASSOCIATION_LOSSES}, and neither class_weight, "
                    "folds, members nor stages, without a target. Received: "
                    f"loss={self.loss!r}, class_weight={self.class_weight!r}, "
                    f"folds={self.folds}, members={self.members}, "
                    f"stages={self.stages!r}."
                )
            return
        for name, known in (("class_weight", CLASS_WEIGHTS), ("loss", LOSSES)):
            value = getattr(self, name)
            if value is not None and value not in known:
                raise ValueError(
                    f"Expected {name} in {known} or None. Received: {name}={value!r}."
                )
            if value is not None and self.target_kind not in ("label", "labels"):
                raise ValueError(
                    f"Expected a target of labels for {name}={value!r}. Received: "
                    f"target={self.target!r}, target_kind={self.target_kind!r}."
                )

    @property
    def target_column(self) -> str | None:
        """The column to learn; None where the inputs of a row belong together."""
        return None if self.target_kind == ASSOCIATION else self.target

    @property
    def target_columns(self) -> dict[str, Any]:
        """Columns of a target of several by their role; empty for other targets."""
        if self.target_kind == NUMBERS:
            return {"columns": (self.target, *self.more_targets)}
        if self.target_kind in OF_PAGES:
            columns = self.columns.items()
            page = next((name for name, held in columns if held == "page"), "")
            if self.target_kind == "page_tags":
                return {"page": page, "tags": self.target}
            return {"page": page, "fields": (self.target, *self.more_targets)}
        if self.target_kind not in OF_SENTENCES:
            return {}
        roles = {"text": next(iter(self.columns), "")}
        if self.target_kind != "tags":
            roles["intent"] = self.target
        if self.target_kind != "intent":
            roles["tags"] = self.tags or self.target
        return roles

    @property
    def further_targets(self) -> tuple[str, ...]:
        """Columns to learn next to the target: tags of words, or other numbers."""
        return (*([self.tags] if self.tags else []), *self.more_targets)

    @property
    def _targets(self):
        return (self.target, *self.further_targets)

    @property
    def columns(self) -> dict[str, str]:
        """Modality by name of the columns that are read."""
        return {
            column: modality
            for planned in self.inputs.values()
            for column, modality in planned.columns.items()
        }

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON has it, for `from_json`."""
        return _plain(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Plan":
        """The plan that `to_json` gave.

        Raises:
            ValueError: If a field is missing or unknown.
        """
        try:
            inputs = {n: InputPlan(**one) for n, one in values["inputs"].items()}
            return cls(**{**values, "inputs": inputs})
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(
                f"Expected the fields of a plan. Received: {error}."
            ) from None

    def __str__(self):
        lines = [f"Plan for {', '.join(map(repr, self._targets))}", ""]
        widths = [max(map(len, column)) for column in zip(*_rows(self), strict=True)]
        for first, second, reason in _rows(self):
            lines.append(
                f"{first:<{widths[0]}}  {second:<{widths[1]}}  {reason}".rstrip()
            )
        return "\n".join(lines)

    def _repr_html_(self):
        cells = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in _rows(self)
        )
        names = html.escape(", ".join(self._targets))
        return f"<b>Plan for {names}</b><table>{cells}</table>"


def _rows(plan):
    """Three cells per line: what, the choice, and its reason."""
    for name, planned in plan.inputs.items():
        sizes = ", ".join(f"{k}={v}" for k, v in planned.sizes.items())
        tower = planned.tower or f"default {planned.modality} tower"
        yield (
            f"input {name}",
            f"{planned.preprocessor}({sizes}), {tower}",
            planned.reason,
        )
    for name, reason in plan.left_out.items():
        yield f"column {name}", "left out", reason
    for name in _FIELDS:
        yield name, str(getattr(plan, name)), plan.reasons.get(name, "")


def _plain(value):
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        return {field.name: _plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value
