"""Stages of training as plain data, and the stages that most models are trained in."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras

from mbm_keras.inputs import tower_name
from mbm_keras.inputs import towers_of


@dataclasses.dataclass(frozen=True)
class Stage:
    """One compile and one fit.

    Args:
        name: Name of the stage in folders and reports.
        epochs: Maximum number of passes over the data.
        learning_rate: Peak learning rate of Adam, reached after the first epoch. From
            there it falls along half a cosine to 2 % of the peak.
        unimodal: Key of an input: the stage trains the tower of this input on its own,
            with a head of its own. None to train the whole model.
        frozen: Names of top-level layers that keep their weights, for example
            `("image_tower",)`. All other layers train.
        patience: Epochs without a better validation loss before the stage ends; None
            to run all epochs.
        heads: True to train the heads of all towers and of the fusion, each on its own
            loss; for models built with `balance={"calibrate": True}`.
        average: True to keep a moving average of the weights, and not those of the last
            step. Validation measures the average. Its window is a twentieth of the
            stage's steps.
        adapt: Names of towers with published encoders, of which low-rank adapters alone
            learn, see `mbm_keras.training.adapt`. At the end of the stage they are
            added to the weights, and the model is a plain one again.
        rank: Rank of the adapters.
        rates: Factor of the learning rate by name of a top-level layer, such as
            `{"text_tower": 0.02}`; if it has networks inside, such as a published
            encoder, that of these alone.
        depth_decay: Factor in (0, 1] of the learning rate from each block of a
            published encoder to the one before it; the last has the full rate.
        accumulate: Steps whose gradients are averaged for one change of the weights.
    """

    name: str
    epochs: int
    learning_rate: float = 1e-3
    unimodal: str | None = None
    frozen: tuple[str, ...] = ()
    patience: int | None = None
    heads: bool = False
    average: bool = False
    adapt: tuple[str, ...] = ()
    rank: int = 8
    rates: Mapping[str, float] = dataclasses.field(default_factory=dict)
    depth_decay: float = 1.0
    accumulate: int = 1

    def __post_init__(self):
        if self.rank < 1 or self.accumulate < 1 or not 0 < self.depth_decay <= 1:
            raise ValueError(
                "Expected rank >= 1, accumulate >= 1 and depth_decay in (0, 1]. "
                f"Received: rank={self.rank}, accumulate={self.accumulate}, "
                f"depth_decay={self.depth_decay}."
            )
        if any(rate < 0 for rate in self.rates.values()):
            raise ValueError(
                f"Expected rates of 0 or more. Received: rates={dict(self.rates)}."
            )


def standard_stages(
    model: keras.Model,
    *,
    unimodal: int,
    fusion: int,
    finetune: int,
    learning_rate: float = 1e-3,
    patience: int | None = None,
) -> list[Stage]:
    """The usual stages: each tower on its own, the fusion, then the whole model.

    The fusion stage trains the fusion and the head on frozen towers.

    Args:
        model: A model whose inputs have towers, see `mbm_keras.inputs.tower_name`.
        unimodal: Epochs of each tower; 0 leaves these stages out.
        fusion: Epochs of the fusion; 0 leaves the stage out.
        finetune: Epochs of the whole model; 0 leaves the stage out.
        learning_rate: Peak learning rate of Adam.
        patience: As for `Stage`.

    Returns:
        The stages, in order.
    """
    options: dict[str, Any] = dict(learning_rate=learning_rate, patience=patience)
    keys = list(towers_of(model))
    towers = tuple(tower_name(key) for key in keys)
    stages = [
        *(Stage(f"{key} unimodal", unimodal, unimodal=key, **options) for key in keys),
        Stage("fusion", fusion, frozen=towers, **options),
        Stage("finetune", finetune, **options),
    ]
    return [stage for stage in stages if stage.epochs]
