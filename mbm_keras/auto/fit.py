"""Which models can take the inputs and the target of a plan, before any row is decoded.

What training learns, such as a vocabulary, is not known yet: small sizes stand in.
"""

import dataclasses
from typing import Any

from mbm_keras.auto.plan import CONTINUATION
from mbm_keras.auto.plan import Plan
from mbm_keras.auto.published import READER
from mbm_keras.auto.traits import EMBEDDING
from mbm_keras.auto.traits import STEPS
from mbm_keras.auto.traits import TRAITS
from mbm_keras.auto.traits import traits_of


def check_model(plan: Plan) -> list[str]:
    """Checks that the model of a plan takes its inputs and its target.

    Args:
        plan: The plan.

    Returns:
        Names of the models that do, see `mbm_keras.models.models_for`.

    Raises:
        ValueError: If that of the plan does not; the message names the models that do.
    """
    from mbm_keras.auto.build import build_towers
    from mbm_keras.models import ZOO
    from mbm_keras.models import models_for

    _check_texts(plan)
    _check_tuned(plan)
    inputs, task = draft_inputs(plan), draft_task(plan)
    fitting = models_for(inputs, task)
    try:
        if traits_of(plan.model).takes == STEPS:
            ZOO[plan.model].check_fit(inputs, task, build_towers(plan))
        else:
            ZOO[plan.model].check_fit(inputs, task)
    except ValueError as error:
        raise ValueError(
            f"The model {plan.model!r} does not fit this table: {error} Models that "
            f"fit: {', '.join(fitting) or 'none'}."
        ) from None
    return fitting


def _check_texts(plan):
    """Grams are for a model whose towers the plan chooses; the others read words."""
    takes = traits_of(plan.model).takes
    for name, planned in plan.inputs.items():
        if planned.preprocessor == "WordGrams" and takes != EMBEDDING:
            raise ValueError(
                f"Expected WordIds for the text {name!r} of the model {plan.model!r}; "
                "give the model when the plan is made. Received: "
                f"preprocessor={planned.preprocessor!r}."
            )


def _check_tuned(plan):
    """Encoders that learn are towers, and other models do not take any tower."""
    tuned = [n for n, p in plan.inputs.items() if p.preprocessor == READER]
    models = tuple(name for name, traits in TRAITS.items() if traits.takes)
    if tuned and plan.model not in models:
        raise ValueError(
            f"Expected tune='frozen' for a model other than {models}. Received: "
            f"model={plan.model!r}, inputs={tuned}."
        )
    if tuned and plan.tune == "frozen":
        raise ValueError(
            "Expected another plan for tune='frozen', with the encoders in front of "
            "the model: give `tune` when the plan is made. "
            f"Received: tune={plan.tune!r}, inputs={tuned}."
        )


def draft_inputs(plan: Plan) -> list[Any]:
    """The inputs of a plan, as `InputSpec`s; texts as words, which all models read."""
    from mbm_keras.auto.build import build_preprocessors
    from mbm_keras.inputs import InputSpec
    from mbm_keras.inputs import keys

    # The weights of encoders are not read before they are needed.
    # The input of an encoder whose steps are taken has sizes of its own.
    takes = traits_of(plan.model).takes
    published = ["Embedding", *([] if takes == STEPS else [READER])]
    encoded = [n for n, p in plan.inputs.items() if p.preprocessor in published]
    others = {n: p for n, p in plan.inputs.items() if n not in encoded}
    preprocessors = build_preprocessors(dataclasses.replace(plan, inputs=others))
    chosen = keys(plan.inputs)
    specs = {name: InputSpec(name, "vector", {"size": 1}) for name in encoded}
    for name, preprocessor in preprocessors.items():
        is_text = preprocessor.modality == "text"
        sizes = {"vocabulary_size": 3} if is_text else preprocessor.sizes()
        specs[name] = InputSpec(name, preprocessor.modality, sizes)
    return [dataclasses.replace(specs[name], key=key) for name, key in chosen.items()]


def draft_task(plan: Plan) -> Any:
    """A task of the kind of a plan's target."""
    from mbm_keras import tasks

    return {
        "label": lambda: tasks.Classification(2, name=plan.target),
        "labels": lambda: tasks.MultiLabel(2, name=plan.target),
        "association": lambda: tasks.Association(name=plan.target),
        "number": lambda: tasks.Regression(name=plan.target),
        "numbers": lambda: tasks.Regression(
            name=plan.target, units=1 + len(plan.more_targets)
        ),
        "caption": lambda: tasks.Captioning(
            vocabulary_size=8, sequence_length=4, name=plan.target
        ),
        CONTINUATION: lambda: tasks.Captioning(
            vocabulary_size=8, sequence_length=4, name=plan.target
        ),
        "transcript": lambda: tasks.Transcription(4, name=plan.target),
        "intent": lambda: tasks.Understanding(2, name=plan.target),
        "tags": lambda: tasks.Understanding(tags=("O", "B-a"), name=plan.target),
        "fields": lambda: tasks.Understanding(tags=("O", "B-a"), name=plan.target),
        "page_tags": lambda: tasks.Understanding(tags=("O", "B-a"), name=plan.target),
        "intent_and_tags": lambda: tasks.Understanding(
            2, ("O", "B-a"), name=plan.target
        ),
    }[plan.target_kind]()
