"""The stages of a plan."""

import dataclasses

from mbm_keras.auto.published import READER
from mbm_keras.inputs import tower_name

_LEARNED = 0.95  # of the loss of a constant answer: below it a tower learned something
_WAIT = 3  # a stage ends after a third of its epochs without a better one


def stages_of(plan, model, specs, chance):
    """Stages in the order of training.

    Args:
        plan: A `Plan`.
        model: The model to train.
        specs: A list of `InputSpec`.
        chance: The validation loss of the best constant answer.

    Returns:
        A generator function for `fit_stages`: what is frozen in the fusion stage
        depends on the stages before. A tower that learned nothing by itself, such as
        the sentence of a question whose answer is in an image, has nothing worth
        freezing; it trains together with the fusion.
    """
    towers, unimodal, fusion, last = _all_stages(plan, model, specs)

    def make(histories):
        yield from unimodal
        if fusion is not None:
            frozen = tuple(
                tower_name(spec.key)
                for spec, stage in zip(towers, unimodal, strict=False)
                if learned_something(histories[stage.name], chance)
            )
            yield dataclasses.replace(fusion, frozen=frozen)
        yield last

    return make


def expected_stages(plan, model, specs):
    """The stages that `stages_of` makes, nothing frozen, for the progress line."""
    _, unimodal, fusion, last = _all_stages(plan, model, specs)
    return [*unimodal, *([] if fusion is None else [fusion]), last]


def learned_something(history, chance):
    """Whether a tower got 5 % below the loss of the best constant answer."""
    return min(history["val_loss"]) < _LEARNED * chance


def _all_stages(plan, model, specs):
    from mbm_keras.training import Stage
    from mbm_keras.training import calibrated_mean

    layers = {layer.name for layer in model.layers}
    towers = [spec for spec in specs if tower_name(spec.key) in layers]
    has_heads = calibrated_mean(model) is not None
    tuned = [
        tower_name(spec.key)
        for spec in towers
        if plan.inputs[spec.name].preprocessor == READER
    ]
    tuning = dict(
        adapt=tuple(tuned) if plan.tune == "adapters" else (),
        rates=dict.fromkeys(tuned, plan.tower_rate / plan.learning_rate),
    )
    last = Stage(
        "training",
        plan.epochs,
        plan.learning_rate,
        patience=_patience(plan.epochs),
        heads=has_heads,
        average=True,
        **tuning,
    )
    if plan.stages == "joint" or len(towers) < 2:
        return towers, [], None, last
    unimodal, fusion = [], None
    if plan.unimodal_epochs:
        unimodal = [
            Stage(
                f"{spec.name} unimodal",
                plan.unimodal_epochs,
                plan.learning_rate,
                unimodal=spec.key,
                patience=_patience(plan.unimodal_epochs),
                **_of_tower(tuning, tower_name(spec.key)),
            )
            for spec in towers
        ]
    if plan.fusion_epochs:
        fusion = dataclasses.replace(
            last,
            name="fusion",
            epochs=plan.fusion_epochs,
            patience=_patience(plan.fusion_epochs),
        )
    return towers, unimodal, fusion, dataclasses.replace(last, name="finetune")


def _of_tower(tuning, name):
    return dict(
        adapt=tuple(x for x in tuning["adapt"] if x == name),
        rates={x: rate for x, rate in tuning["rates"].items() if x == name},
    )


def _patience(epochs):
    return max(2, epochs // _WAIT)
