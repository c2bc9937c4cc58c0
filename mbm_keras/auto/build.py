"""From a plan to the objects that it names: features, towers, augmentation, model."""

import dataclasses
import functools

from mbm_keras.auto import published
from mbm_keras.auto import targets
from mbm_keras.auto.plan import ASSOCIATION
from mbm_keras.auto.traits import traits_of

_MIXUP = 0.3  # alpha of the mixtures of sounds


def build_features(plan):
    """The preprocessors of a plan, before `adapt`.

    Args:
        plan: A `Plan`.

    Returns:
        A `mbm_keras.preprocessing.Features`.
    """
    from mbm_keras.preprocessing import Features

    return Features(**build_preprocessors(plan))


def build_preprocessors(plan):
    """The same as a dict by name of the input."""
    from mbm_keras.preprocessing import PREPROCESSORS
    from mbm_keras.preprocessing import Category
    from mbm_keras.preprocessing import Date
    from mbm_keras.preprocessing import Number
    from mbm_keras.preprocessing import TableRow

    by_name = {}
    for name, planned in plan.inputs.items():
        if planned.modality == "table":
            kinds = {"number": Number, "category": Category, "date": Date}
            columns = (
                {c: kinds[kind]() for c, m in planned.columns.items() if m == kind}
                for kind in kinds
            )
            by_name[name] = TableRow(*columns)
        elif planned.preprocessor == "Embedding":
            by_name[name] = published.build_embedding(**planned.sizes)
        elif planned.preprocessor == published.READER:
            by_name[name] = published.build_reader(**planned.sizes)
        else:
            by_name[name] = PREPROCESSORS[planned.preprocessor](**planned.sizes)
    return by_name


def build_target(plan):
    """The target of a plan, before `adapt`."""
    arguments = plan.target_columns or {}
    if plan.target_kind == "transcript":
        (sound,) = build_preprocessors(plan).values()
        frames = sound.array.shape[0]
        arguments = {"convolutions": convolutions_of(plan), "frames": frames}
    return targets.build_target(plan.target_kind, arguments)


def convolutions_of(plan):
    """What is between the sound of a plan and the steps that become a text."""
    from mbm_keras.models import speech_recognizer

    for planned in plan.inputs.values():
        if planned.preprocessor == published.READER:
            return published.convolutions_of(planned.sizes["folder"])
    encoder = plan.model_sizes.get("encoder", speech_recognizer.DEFAULT)
    return speech_recognizer.CONVOLUTIONS[encoder]


def columns_to_adapt(plan):
    """Names of the columns that vocabularies and statistics are learned from."""
    learned = ("text", "vector", "number", "category", "date", "page")
    return [name for name, modality in plan.columns.items() if modality in learned]


def build_towers(plan):
    """Builders of towers by input name, where the plan names one."""
    from mbm_keras.towers import TOWERS

    builders = {}
    for name, planned in plan.inputs.items():
        sizes = planned.tower_sizes
        if planned.tower == published.TOWER:
            builders[name] = published.build_tower(sizes["folder"], planned.modality)
        elif planned.tower is not None:
            builders[name] = functools.partial(TOWERS[planned.tower].build, **sizes)
    return builders


def answer_size(plan):
    """Rows that the model of a plan answers at once."""
    return traits_of(plan.model).rows_at_once


def length_key(plan, specs):
    """Key of the input by whose length rows share a batch, or None.

    The first text that a published encoder or a recurrent layer in the model reads; the
    page; the sound that is heard to its end.
    """
    if traits_of(plan.model).is_of_speech:
        return specs[0].key
    found = [
        spec.key
        for spec in specs
        if (spec.modality, plan.inputs[spec.name].preprocessor)
        in (
            ("text", published.READER),
            ("words", "WordCharacters"),
            ("page", "PageWords"),
        )
    ]
    return found[0] if found else None


def build_augmentation(plan, specs):
    """Small random changes by key of the input, None where the plan wants none."""
    from data_pipelines import augment

    if not plan.augment:
        return None
    traits = traits_of(plan.model)
    changes = {
        "image": augment.pictures,
        "audio": augment.speech if traits.is_of_speech else augment.spectrograms,
        "wave": lambda: augment.waves(shift=0.2, gain=6.0, low=25.0, high=60.0),
        "video": lambda: augment.frames(augment.pictures()),
    }
    if not traits.moves_pictures:
        still = functools.partial(augment.pictures, shift=0.0, scale=0.0, degrees=0.0)
        changes["image"] = still
    return {
        spec.key: changes[spec.modality]()
        for spec in specs
        # Those of a published encoder are normalized in its own way.
        if spec.modality in changes
        and plan.inputs[spec.name].preprocessor != published.READER
    }


def build_mixup(plan, specs, task):
    """How rows of training are mixed, and what that asks of validation and the task.

    The samples of a sound are mixed with those of another, and so are their classes.

    Args:
        plan: A `Plan`.
        specs: A list of `InputSpec`, in the order of the features.
        task: The task.

    Returns:
        Functions for `mixup` of batches of training and of validation, and the task of
        their targets; None twice, and the same task, where rows are not mixed.
    """
    from data_pipelines import augment
    from mbm_keras.tasks import Classification

    waves = [spec.key for spec in specs if spec.modality == "wave"]
    plain = isinstance(task, Classification) and not task.class_weights
    if not plan.augment or len(waves) != len(specs) or not plain or task.gamma:
        return None, None, task
    classes = {task.name: task.num_classes}
    mixed = augment.class_shares(classes, augment.mixup(_MIXUP, waves))
    shares = dataclasses.replace(task, shares=True)
    return mixed, augment.class_shares(classes), shares


def build_model(plan, specs, task):
    """The model of a plan.

    Args:
        plan: A `Plan`.
        specs: A list of `InputSpec`, in the order of the features.
        task: A `mbm_keras.tasks.Task`.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: If the model does not take these inputs or this task.
    """
    from mbm_keras import fusion
    from mbm_keras.models import ZOO
    from mbm_keras.models import dual_encoder

    is_association = plan.target_kind == ASSOCIATION
    pair = published.pair_of(plan.inputs) if is_association else None
    make = {
        "towers": lambda: build_towers(plan),
        "fusion": lambda: fusion.FUSIONS[plan.fusion](plan.width, name="fusion"),
        "width": lambda: plan.width if pair is None else None,
        "pool": lambda: True,
        "balance": lambda: {"calibrate": True, "fitted": plan.fitted_heads},
    }
    given = {name: make[name]() for name in traits_of(plan.model).given}
    arguments = {**given, **plan.model_sizes}
    model = ZOO[plan.model].build(inputs=specs, task=task, **arguments)
    if pair is not None:
        dual_encoder.set_scale(model, pair.folder)
    return model
