"""Train each tower alone, then their fusion, then everything together."""

import contextlib
import dataclasses
import functools
import itertools
import pathlib
import tempfile

import keras
import numpy as np
from keras import layers
from keras import ops

from mbm_keras.training.checkpoint import Checkpoint
from mbm_keras.training.frozen_outputs import FrozenTowerOutputs
from mbm_keras.training.frozen_outputs import can_precompute
from mbm_keras.training.frozen_outputs import without_towers


@dataclasses.dataclass(frozen=True)
class Stage:
    """One compile and one fit.

    Args:
        name: What the stage is called in folders and reports.
        epochs: The most passes over the data.
        learning_rate: Peak step size of Adam, reached after the first epoch; from
            there a half cosine leads to a fiftieth of it.
        unimodal: Name of an input: its tower is trained alone, with a head of its own.
        frozen: Names of top-level layers to hold still, for example
            `("image_tower",)`. Everything else trains.
        patience: Epochs without a better validation loss before the stage ends;
            None for never.
    """

    name: str
    epochs: int
    learning_rate: float = 1e-3
    unimodal: str | None = None
    frozen: tuple[str, ...] = ()
    patience: int | None = None


def standard_stages(
    model, *, unimodal, fusion, finetune, learning_rate=1e-3, patience=None
):
    """The stages the field agreed on.

    Each tower alone on its own modality; then the fusion and head on all of them,
    the towers frozen; then everything.

    Args:
        model: A model with a layer `<input>_tower` per input.
        unimodal: Epochs of each tower; 0 leaves the stage out.
        fusion: Epochs of the fusion.
        finetune: Epochs of everything.
        learning_rate: Peak step size of Adam.
        patience: As for `Stage`.

    Returns:
        A list of `Stage`.
    """
    towers = [layer.name for layer in model.layers if layer.name.endswith("_tower")]
    names = [name.removesuffix("_tower") for name in towers]
    stages = [
        Stage(
            f"{name} unimodal",
            unimodal,
            learning_rate,
            unimodal=name,
            patience=patience,
        )
        for name in names
    ]
    stages.append(
        Stage("fusion", fusion, learning_rate, frozen=tuple(towers), patience=patience)
    )
    stages.append(Stage("finetune", finetune, learning_rate, patience=patience))
    return [stage for stage in stages if stage.epochs]


def fit_stages(
    model,
    stages,
    train,
    validation=None,
    *,
    losses,
    metrics,
    head=None,
    callbacks=(),
    folder=None,
    jit_compile=None,
    steps_per_execution=1,
    announce=None,
    verbose="auto",
):
    """Runs each stage in order.

    A stage whose frozen layers are all towers runs these once over the data and
    trains the rest on what they gave, random changes of that one pass included; not
    towers of sequences with padding, which carry a mask. What they gave is kept in a
    temporary file, a float for every place and channel of every row.

    Args:
        model: A functional `keras.Model` with one output; for stages that train a
            tower alone, with layers `<input>_tower`.
        stages: The stages, in order.
        train: A batched `tf.data.Dataset` of `(inputs by name, targets by name)`; or
            what makes one, `functools.partial(samples.batches, 64, shuffle=True)`. It
            is called with `only`, the inputs a stage looks at or None for all, and
            `epoch`, the first epoch that it has to make: then a run that was stopped
            ends with the weights, bit for bit, of one that was not.
        validation: The same, or None: then nothing stops early.
        losses: As for `compile`.
        metrics: As for `compile`. They are weighted by presence where a tower is
            alone: rows without its input do not count.
        head: Maps an embedding to the output of a tower that is trained alone, such
            as `task.head`.
        callbacks: As for `fit`, given to every stage.
        folder: Where to keep each stage, so that a run that was stopped goes on at
            its stage and epoch; None to keep nothing.
        jit_compile: As for `compile`. None for False on TensorFlow, where compiling
            takes tens of seconds, which only a long training of recurrent layers earns
            back on a processor; and for True elsewhere: without it JAX runs a step
            operation by operation.
        steps_per_execution: As for `compile`.
        announce: Called with each stage before it is trained.
        verbose: As for `fit`.

    Returns:
        The history of each stage by its name: lists by figure, one value an epoch.

    Raises:
        ValueError: If a stage names a layer or an input the model does not have, or
            trains a tower alone and there is no head; if the number of batches is
            not known.
        OSError: If the temporary folder has no room for what frozen towers give.
    """
    _check(model, stages, head)
    if jit_compile is None:
        jit_compile = keras.backend.backend() != "tensorflow"
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
        histories = {}
        for number, stage in enumerate(stages):
            for layer in model.layers:
                layer.trainable = layer.name not in stage.frozen
            keeper = Checkpoint(
                pathlib.Path(folder) / f"{number}-{stage.name.replace(' ', '-')}",
                monitor="val_loss" if validation is not None else "loss",
                patience=stage.patience if validation is not None else None,
            )
            part, data, once = _part(model, stage, head)
            # What frozen towers see once is the first epoch, wherever a run goes on.
            batches = _of(train, stage, 0 if once else keeper.epoch)
            part.compile(
                keras.optimizers.Adam(_schedule(stage, _steps(batches))),
                loss=losses,
                weighted_metrics=metrics,
                jit_compile=jit_compile,
                steps_per_execution=steps_per_execution,
            )
            keeper.restore(part)
            if not keeper.done:
                _build(part, batches.element_spec[1])
                if announce is not None:
                    announce(stage)
                checked = _of(validation, stage)
                part.fit(
                    data(batches, shuffle=True, epoch=keeper.epoch),
                    validation_data=None if checked is None else data(checked),
                    epochs=stage.epochs,
                    initial_epoch=keeper.epoch,
                    shuffle=False,  # the data is, its own way
                    callbacks=[*callbacks, keeper],
                    verbose=verbose,
                )
            histories[stage.name] = keeper.history
    for layer in model.layers:
        layer.trainable = layer.name not in stages[-1].frozen
    return histories


def _check(model, stages, head):
    names = [layer.name for layer in model.layers]
    for stage in stages:
        unknown = sorted(set(stage.frozen) - set(names))
        if stage.unimodal is not None and f"{stage.unimodal}_tower" not in names:
            unknown.append(f"{stage.unimodal}_tower")
        if unknown:
            raise ValueError(
                f"`{model.name}` has no layer named {unknown}, which stage "
                f"{stage.name!r} asks for. Its layers are {names}."
            )
        if stage.unimodal is not None and head is None:
            raise ValueError(
                f"Stage {stage.name!r} trains a single tower, which takes a `head`. "
                "Received: head=None."
            )


def _of(data, stage, epoch=0):
    """The dataset of a stage."""
    if callable(data):
        return data(inputs=(stage.unimodal,) if stage.unimodal else None, epoch=epoch)
    return data


def _steps(batches):
    steps = int(batches.cardinality())
    if steps < 1:
        raise ValueError(
            "The training data must have a known number of batches, by which the "
            "learning rate falls: apply `tf.data.experimental.assert_cardinality`. "
            f"Received a dataset of {steps} (-1 is infinite, -2 is unknown)."
        )
    return steps


def _schedule(stage, steps):
    """From 0 to the peak within an epoch, then half a cosine down."""
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=max(1, (stage.epochs - 1) * steps),
        alpha=0.02,
        warmup_target=stage.learning_rate,
        warmup_steps=steps,
    )


def _build(part, targets):
    """Makes the variables of optimiser and metrics now, not in the first step.

    A TensorFlow function that makes variables is traced twice, which takes seconds.
    """
    part.optimizer.build(part.trainable_variables)
    zeros = [_zeros(targets, part.output), _zeros(part.output, targets)]
    part.compute_metrics(None, *zeros)
    part.reset_metrics()


def _zeros(tensors, others):
    """A row of zeros for each; lengths left open are those of the others, or 1."""
    made = {}
    for name, tensor in tensors.items():
        other = others[name].shape if name in others else ()
        sizes = itertools.zip_longest(tensor.shape[1:], other[1 : len(tensor.shape)])
        shape = [1, *(size or known or 1 for size, known in sizes)]
        made[name] = np.zeros(shape, keras.backend.standardize_dtype(tensor.dtype))
    return made


def _part(model, stage, head):
    """What a stage trains, how batches become its own, and if that is done once."""
    if stage.unimodal is not None:
        part, select = _unimodal(model, stage.unimodal, head)
        return part, lambda batches, **_: batches.map(select), False
    if can_precompute(model, stage.frozen):
        rest = without_towers(model, stage.frozen)
        return rest, functools.partial(FrozenTowerOutputs, model, stage.frozen), True
    return model, lambda batches, **_: batches, False


def _unimodal(model, name, head):
    """A model of one tower and a head, and what maps a batch to its part of it."""
    tower = model.get_layer(f"{name}_tower")
    (inner,) = tower.inputs
    x = keras.Input(inner.shape[1:], dtype=inner.dtype, name=name)
    inputs = [x]
    y = tower(x)  # (batch, width) or (batch, places, width)
    if len(y.shape) == 3:
        y = layers.GlobalAveragePooling1D()(y)
    if f"{name}_index" in [t.name for t in model.inputs]:
        # A batch of distinct values: the tower sees each once, the head every row.
        inputs.append(keras.Input((), dtype="int32", name=f"{name}_index"))
        y = ops.take(y, inputs[1], axis=0)
    (output,) = model.output
    part = keras.Model(inputs, {output: head(y)}, name=f"{name}_unimodal")
    names = [t.name for t in model.inputs if not t.name.endswith("_index")]
    column = names.index(name)

    def select(inputs, targets):
        mine = {t.name: inputs[t.name] for t in part.inputs}
        if "present" not in inputs:
            return mine, targets
        # Rows without this input weigh nothing. No `keras.ops` here: the batch is
        # tf.data's whatever the backend.
        return mine, targets, {output: inputs["present"][:, column]}

    return part, select
