"""Stages of training as plain data, and the stages that most models are trained in."""

import dataclasses
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
    """

    name: str
    epochs: int
    learning_rate: float = 1e-3
    unimodal: str | None = None
    frozen: tuple[str, ...] = ()
    patience: int | None = None
    heads: bool = False
    average: bool = False


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
