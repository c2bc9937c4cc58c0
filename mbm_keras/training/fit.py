"""Runs stages of training: for each one, a plain compile and fit."""

import contextlib
import errno
import functools
import itertools
import pathlib
import tempfile
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from data_pipelines import files
from mbm_keras.tasks import Task
from mbm_keras.tasks.task import monitor_of
from mbm_keras.training import distribution
from mbm_keras.training import fit_checks
from mbm_keras.training.adapters import with_adapters
from mbm_keras.training.at_rest import at_rest
from mbm_keras.training.checkpoint import Checkpoint
from mbm_keras.training.displays import display_for
from mbm_keras.training.equal_batches import equal_batches
from mbm_keras.training.frozen_outputs import FrozenTowerOutputs
from mbm_keras.training.frozen_outputs import can_precompute
from mbm_keras.training.frozen_outputs import without_towers
from mbm_keras.training.heads import PlainNames
from mbm_keras.training.heads import add_heads
from mbm_keras.training.heads import heads_model
from mbm_keras.training.progress import Progress
from mbm_keras.training.rates import RatedAdam
from mbm_keras.training.rates import rate_factors
from mbm_keras.training.stages import Stage
from mbm_keras.training.unimodal import select_unimodal
from mbm_keras.training.unimodal import unimodal_model

Histories = dict[str, dict[str, list[float]]]


def fit_stages(
    model: keras.Model,
    stages: Sequence[Stage] | Callable[[Histories], Iterable[Stage]],
    train: Any,
    valid: Any = None,
    *,
    task: Task,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    folder: str | pathlib.Path | None = None,
    jit_compile: bool | None = None,
    steps_per_execution: int = 1,
    expected: Sequence[Stage] | None = None,
    verbose: int | str = "auto",
) -> Histories:
    """Runs each stage in order.

    If all frozen layers of a stage are towers, these run once over the data, and the
    rest of the model trains on their outputs, random augmentation of that one pass
    included. The outputs are in a temporary file, one float for every step and channel
    of every row. This excludes towers of padded sequences, since these have a mask.

    Args:
        model: A functional `keras.Model` with the output `task.name`; for unimodal
            stages with a tower for each input, see `mbm_keras.inputs.tower_name`.
        stages: The stages, in order. If a stage depends on the stages before it, a
            generator function: it is called with the histories by stage name, to
            which each stage is added when it ends.
        train: A batched `tf.data.Dataset` of `(inputs, targets)`, both by name, or of
            `(inputs, targets, weights)` with weights of rows `(batch,)`; or a
            function that makes one, such as
            `functools.partial(samples.batches, 64, shuffle=True)`. It is called with
            `inputs`, the keys of the inputs that a stage needs or None for all, and
            `epoch`, the first epoch to make: then an interrupted run ends with the same
            weights, bit for bit, as one that was not interrupted.
        valid: The same for validation; None to train without early stopping.
        task: The task; it gives the loss, the metrics and the heads of unimodal stages.
            Weights of classes are an argument of `Classification` and `MultiLabel`.
        callbacks: As for `fit`, in every stage.
        folder: Folder for checkpoints: an interrupted run continues at its stage and
            epoch. None to keep none.
        jit_compile: As for `compile`. None for False on TensorFlow, where compiling
            takes tens of seconds, which only long training of recurrent layers saves
            again on a CPU; and for True on other backends, since JAX would run a step
            operation by operation.
        steps_per_execution: As for `compile`.
        expected: The stages that a generator function will probably make, from which
            the progress line takes their number and epochs. None for `stages`.
        verbose: 0 for silence, 1 for one progress line that is redrawn, 2 for one line
            per epoch; "auto" for 1 on a terminal and in a notebook, else 2.

    Returns:
        The history of each stage by its name: lists by name of the value, one value
        per epoch.

    Raises:
        ValueError: If the model has no output of the task, a stage names a layer or an
            input that the model does not have, two stages have the same name, the
            number of batches is not known, or another process uses the folder.
        OSError: If a folder was removed, cannot be written, or has no room for the
            weights or the outputs of frozen towers.
    """
    fit_checks.check_output(model, task)
    fit_checks.check_devices(model)
    if not callable(stages):
        fit_checks.check_stages(model, stages)
        expected = stages if expected is None else expected
    histories, stage = {}, None
    with contextlib.ExitStack() as stack:
        metric = next((metric.name for metric in task.metrics()), None)
        writes = distribution.is_first()
        progress = Progress(
            display_for(verbose if writes else 0), expected or (), metric
        )
        stack.enter_context(progress)
        if folder is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
        folder = pathlib.Path(folder)
        if writes:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(files.lock(folder))
        sequence = stages(histories) if callable(stages) else stages
        for number, stage in enumerate(sequence):
            if callable(stages):
                fit_checks.check_stages(model, [stage], histories)
            if writes and not folder.is_dir():
                raise FileNotFoundError(errno.ENOENT, "It was removed", str(folder))
            histories[stage.name] = _fit_stage(
                model,
                stage,
                train,
                valid,
                task=task,
                callbacks=callbacks,
                folder=folder / _folder_name(number, stage),
                options=dict(
                    jit_compile=default_jit() if jit_compile is None else jit_compile,
                    steps_per_execution=steps_per_execution,
                ),
                progress=progress,
            )
    if stage is not None:
        _freeze(model, stage)  # a unimodal stage compiles another model
    return histories


def default_jit() -> bool:
    """Whether a model is compiled with XLA if the caller does not say."""
    return keras.backend.backend() != "tensorflow"


def _fit_stage(
    model, stage, train, valid, *, task, callbacks, folder, options, progress
):
    """Compiles and fits what a stage trains, and returns its history."""
    _freeze(model, stage)
    metric = monitor_of(task)
    name = metric or "loss"
    checkpoint = Checkpoint(
        folder,
        monitor=name if valid is None else f"val_{name}",
        mode="min" if metric is None else "max",
        patience=None if valid is None else stage.patience,
    )
    progress.begin_stage(stage)
    part, convert, is_frozen = _part(model, stage, task)
    # Frozen towers see the first epoch, even if a run continues at a later one.
    batches = _dataset(train, stage, task, 0 if is_frozen else checkpoint.epoch)
    if stage.heads:
        callbacks = [PlainNames(task), *callbacks]
    if stage.average:
        callbacks = [*callbacks, keras.callbacks.SwapEMAWeights()]
    frozen = [model.get_layer(name) for name in stage.frozen]
    with at_rest(frozen), with_adapters(part, stage.adapt, stage.rank) as part:
        if keras.distribution.distribution() is not None:
            fit_checks.check_together()
            part = equal_batches(part, batches, task)
        _compile(part, stage, task, batches, options)
        checkpoint.restore(part)
        if not checkpoint.done:
            spec = batches.element_spec[1]
            by_output = dict.fromkeys(part.output, spec[task.name])
            _build(part, by_output if stage.heads else spec)
            part.fit(
                convert(batches, shuffle=True, epoch=checkpoint.epoch),
                validation_data=(
                    None if valid is None else convert(_dataset(valid, stage, task))
                ),
                epochs=stage.epochs,
                initial_epoch=checkpoint.epoch,
                shuffle=False,  # the datasets shuffle
                callbacks=[*callbacks, checkpoint, progress],
                verbose=0,
            )
            if stage.average and keras.distribution.distribution() is None:
                _copy_averages(part.optimizer)
    progress.end_stage(stage, checkpoint.history, checkpoint.best_epoch)
    return checkpoint.history


def _copy_averages(optimizer):
    """Gives an optimizer arrays of its own.

    On JAX the average that a model ends with is the array of the optimizer too, and the
    next step or evaluation of the model deletes it.
    """
    if keras.backend.backend() == "jax":
        for variable in optimizer.variables:
            variable.assign(np.array(variable))


def _compile(part, stage, task, batches, options):
    outputs = list(part.output)
    # The fusion counts as much as all single inputs together. The sum of the weights is
    # 1, so that the loss compares with `task.chance`.
    others = 0.5 / max(1, len(outputs) - 1)
    counts = [1.0] if len(outputs) == 1 else [others] * (len(outputs) - 1) + [0.5]
    part.compile(
        _optimizer(stage, part, _num_batches(batches)),
        loss={name: _loss(stage, task) for name in outputs},
        loss_weights=dict(zip(outputs, counts, strict=True)),
        weighted_metrics={task.name: task.metrics()},
        **options,
    )


def _freeze(model, stage):
    for layer in model.layers:
        layer.trainable = layer.name not in stage.frozen


def _folder_name(number, stage):
    return f"{number}-{files.file_name(stage.name)}"


def _dataset(data, stage, task, epoch=0):
    """The dataset of a stage, with what the model needs only while it trains."""
    if callable(data):
        inputs = None if stage.unimodal is None else (stage.unimodal,)
        data = data(inputs=inputs, epoch=epoch)

    def feed(inputs, targets, *weights):
        fed = task.feed(inputs, targets)
        by_output = (w if isinstance(w, dict) else {task.name: w} for w in weights)
        return (*fed, *by_output)

    return data.map(feed)


def _num_batches(batches):
    number = int(batches.cardinality())
    if number < 1:
        raise ValueError(
            "Expected training data with a known number of batches, since the learning "
            "rate depends on it: apply `tf.data.experimental.assert_cardinality`. "
            f"Received: cardinality={number} (-1 is infinite, -2 is unknown)."
        )
    return number


def _loss(stage, task):
    loss = task.loss()
    if stage.unimodal is not None or stage.heads:
        # The mean over the rows that have the input, to be compared with `task.chance`.
        loss.reduction = "mean_with_sample_weight"
    return loss


def _optimizer(stage, part, num_batches):
    steps = stage.epochs * num_batches
    factors = rate_factors(part, stage.rates, stage.depth_decay)
    optimizer = (RatedAdam if factors else keras.optimizers.Adam)(
        _schedule(stage, num_batches),
        use_ema=stage.average,
        ema_momentum=min(0.999, max(0.5, 1 - 20 / steps)),
        gradient_accumulation_steps=stage.accumulate if stage.accumulate > 1 else None,
    )
    if factors:
        optimizer.factors = factors
    return optimizer


def _schedule(stage, num_batches):
    """From 0 to the peak within an epoch, then down along half a cosine.

    Within a quarter of the steps, where there are fewer than four epochs.
    """
    rise = min(num_batches, max(1, stage.epochs * num_batches // 4))
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=max(1, stage.epochs * num_batches - rise),
        alpha=0.02,
        warmup_target=stage.learning_rate,
        warmup_steps=rise,
    )


def _build(part, targets):
    """Makes the variables of optimizer and metrics before the first step.

    A TensorFlow function that makes variables is traced twice, which takes seconds.
    """
    part.optimizer.build(part.trainable_variables)
    zeros = [_zeros(targets, part.output), _zeros(part.output, targets)]
    part.compute_loss(None, *zeros)
    part.compute_metrics(None, *zeros)
    part.reset_metrics()


def _zeros(tensors, others):
    """One row of zeros for each. An open length is that of the other tensor, or 1."""
    rows = {}
    for name, tensor in tensors.items():
        other = others[name].shape if name in others else ()
        sizes = itertools.zip_longest(tensor.shape[1:], other[1 : len(tensor.shape)])
        shape = [1, *(size or known or 1 for size, known in sizes)]
        rows[name] = np.zeros(shape, keras.backend.standardize_dtype(tensor.dtype))
    return rows


def _part(model, stage, task):
    """The model that a stage trains, and how batches are converted for it.

    Returns:
        A model; a function from the batches of the whole model to its batches, with
        `shuffle` and `epoch` for those that it orders itself; and whether it computes
        the outputs of frozen towers once.
    """
    if stage.unimodal is not None:
        part = unimodal_model(model, stage.unimodal, task)
        select = select_unimodal(model, stage.unimodal, task)
        return part, lambda batches, **_: batches.map(select), False
    add, part = (lambda batches: batches), model
    if stage.heads:
        add_targets = add_heads(model, task)
        add, part = (lambda batches: batches.map(add_targets)), heads_model(model, task)
    if can_precompute(model, stage.frozen):
        part = without_towers(part, stage.frozen)
        make = functools.partial(FrozenTowerOutputs, model, stage.frozen)
        return part, lambda batches, **order: make(add(batches), **order), True
    return part, lambda batches, **_: add(batches), False
