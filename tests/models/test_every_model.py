"""What every model of the zoo must do. A new model is tested by being listed."""

import dataclasses
import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.inputs import PRESENT
from mbm_keras.inputs import keys
from mbm_keras.inputs import names_of
from mbm_keras.inputs import teacher_name
from mbm_keras.inputs import tower_name
from mbm_keras.models import ZOO
from mbm_keras.preset import Preset
from mbm_keras.tasks import Captioning
from mbm_keras.tasks import Classification
from tests.helpers import assert_same
from tests.helpers import numpy
from tests.helpers import random_inputs
from tests.helpers import random_targets
from tests.helpers import shared_tiny
from tests.helpers import tiny

every_model = pytest.mark.parametrize("module", ZOO.values(), ids=ZOO)


def inputs_of(model):
    """Names of the inputs, without the one for presence."""
    return [tensor.name for tensor in model.inputs if tensor.name != PRESENT]


def model_with_presence(module):
    """The small model of a module; a model without the input `present` is skipped."""
    model = shared_tiny(module)
    if PRESENT not in [tensor.name for tensor in model.inputs]:
        pytest.skip("every row has all inputs")
    return model


@every_model
def test_is_built_from_inputs_and_a_task(module):
    parameters = inspect.signature(module.build).parameters
    assert list(parameters)[:2] == ["inputs", "task"]
    assert list(parameters)[-1] == "name" and len(parameters) <= 3 + 10
    assert {p.kind for p in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    arguments = module.PRESETS["tiny"].arguments
    module.check_fit(arguments["inputs"], arguments["task"])
    for preset in module.PRESETS.values():
        assert isinstance(preset, Preset)
        assert preset.parameters is None or preset.source is not None


@every_model
def test_documents_inputs_outputs_and_source(module):
    model, doc = shared_tiny(module), inspect.getdoc(module.build)
    for tensor in [*model.inputs, *model.output]:
        key = tensor if isinstance(tensor, str) else tensor.name
        assert f"{key}: `(batch," in doc
    assert "arxiv.org" in module.__doc__ or "doi.org" in module.__doc__


@pytest.mark.slow
@pytest.mark.parametrize(
    "module, name",
    [
        pytest.param(module, name, id=f"{model}-{name}")
        for model, module in ZOO.items()
        for name, preset in module.PRESETS.items()
        if preset.parameters is not None
    ],
)
def test_has_as_many_parameters_as_published(module, name):
    preset = module.PRESETS[name]
    # In this scope no variable gets a value, which would take gigabytes.
    with keras.StatelessScope(initialize_variables=False):
        model = module.build(**preset.arguments)
    trained = sum(np.prod(w.shape) for w in model.trainable_weights)
    keras.utils.clear_session()
    assert trained == preset.parameters


@every_model
def test_takes_a_dict_by_name_and_ignores_other_keys(module):
    model = shared_tiny(module)
    x = random_inputs(model)
    extra = {"aaa_id": np.zeros((2, 1)), **x, "zzz": np.zeros((2, 3))}
    assert_same(model(x), model(extra))


ODD = ("Review Text", "present", "größe (m²)", "text_tower", "dropout", "fusion")


@every_model
def test_takes_inputs_and_outputs_of_any_name(module):
    arguments = dict(module.PRESETS["tiny"].arguments)
    specs = arguments["inputs"]
    chosen = keys(ODD[: len(specs)])
    arguments["inputs"] = [
        dataclasses.replace(spec, name=name, key=key)
        for spec, (name, key) in zip(specs, chosen.items(), strict=True)
    ]
    arguments["task"] = dataclasses.replace(arguments["task"], name="Review Text")
    model = module.build(**arguments)
    assert set(chosen.values()) <= set(inputs_of(model))
    assert list(model.output) == ["Review Text"]


@every_model
def test_no_input_has_the_name_of_a_layer(module):
    arguments = module.PRESETS["tiny"].arguments
    inputs, output = arguments["inputs"], arguments["task"].name
    derived = {name for spec in inputs for name in names_of(spec.key)}
    names = {operation.name for operation in shared_tiny(module).operations}
    names -= {output, teacher_name(output), *derived}
    assert [name for name in names if keys([name])[name] == name] == []


@pytest.mark.slow
@every_model
def test_saves_and_loads(module, tmp_path):
    model = shared_tiny(module)
    x = random_inputs(model)
    model.save(tmp_path / "model.keras")
    assert_same(model(x), keras.models.load_model(tmp_path / "model.keras")(x))


@every_model
def test_a_loss_of_probabilities_is_refused_for_logits(module):
    model, task = shared_tiny(module), module.PRESETS["tiny"].arguments["task"]
    if not isinstance(task, Classification | Captioning):
        pytest.skip("its outputs have other units")
    for loss in ("sparse_categorical_crossentropy", {task.name: "kl_divergence"}):
        with pytest.raises(ValueError, match="loss of logits.*which takes probabil"):
            model.compile("adam", loss)


@pytest.mark.slow
@every_model
def test_gives_probabilities_with_an_activation(module):
    task = module.PRESETS["tiny"].arguments["task"]
    if not isinstance(task, Classification):
        pytest.skip("another task")
    model = tiny(module, task=dataclasses.replace(task, activation="softmax"))
    x = random_inputs(model)
    logits = numpy(shared_tiny(module)(x))[task.name]
    right = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    assert_same(model(x)[task.name], right)
    model.compile("adam", "sparse_categorical_crossentropy")  # is not refused


@pytest.mark.slow
@every_model
def test_is_served_in_batches_of_any_size(module, tmp_path):
    model = shared_tiny(module)
    x = random_inputs(model, batch=3)
    right = numpy(model(x))
    model.export(str(tmp_path), verbose=False)
    served = tf.saved_model.load(str(tmp_path))
    for rows in (1, 3):
        given = [tf.constant(x[tensor.name][:rows]) for tensor in model.inputs]
        for key, answer in served.serve(given).items():
            np.testing.assert_allclose(
                answer.numpy(), right[key][:rows], atol=1e-4, err_msg=key
            )


@every_model
def test_the_content_of_an_absent_input_does_not_matter(module):
    model = model_with_presence(module)
    x = random_inputs(model)
    x[PRESENT][:, 1] = False
    second = inputs_of(model)[1]
    assert_same(model(x), model({**x, second: x[second] * 0}))


@pytest.mark.slow
@every_model
def test_every_weight_learns_and_the_loss_of_a_batch_falls(module):
    task = module.PRESETS["tiny"].arguments["task"]
    has_dropout = "dropout" in inspect.signature(module.build).parameters
    model = tiny(module, **({"dropout": 0.0} if has_dropout else {}))
    x = random_inputs(model, batch=8)
    y = {name: random_targets(task, out, x) for name, out in model(x).items()}
    # Without a graph: these four steps take less time than tracing one.
    optimizer = keras.optimizers.Adam(0.01)
    model.compile(optimizer, {task.name: task.loss()}, run_eagerly=True)

    # A step on rows with absent inputs: their content reaches no weight.
    lacking = {name: array.copy() for name, array in x.items()}
    for i, name in enumerate(inputs_of(model)):
        if PRESENT in x:
            lacking[PRESENT][i, i] = False
            if x[name].dtype == np.float32:
                lacking[name][i] = np.nan
    before = [numpy(w) for w in model.trainable_weights]
    model.train_on_batch(lacking, y)
    for weight, old in zip(model.trainable_weights, before, strict=True):
        if weight.shape == (1,) and weight.path.endswith("bias"):
            continue  # the same number added to all scores of a softmax moves nothing
        assert (numpy(weight) != old).any(), weight.path
    for weight in model.weights:
        assert np.isfinite(numpy(weight)).all(), weight.path

    losses = []
    for _ in range(3):
        model.reset_metrics()
        losses.append(model.train_on_batch(x, y))
    assert losses[-1] < 0.97 * losses[0]


@every_model
def test_absent_rows_do_not_enter_the_statistics_of_a_tower(module):
    fresh, model = model_with_presence(module), tiny(module)
    x = random_inputs(model, batch=8)
    x[PRESENT] = np.random.default_rng(1).random(x[PRESENT].shape) < 0.6
    model(x, training=True)
    for i, name in enumerate(inputs_of(model)):
        tower = fresh.get_layer(tower_name(name))
        before = tower.get_weights()
        tower(x[name][x[PRESENT][:, i]], training=True)
        for mine, theirs in zip(
            model.get_layer(tower.name).non_trainable_variables,
            tower.non_trainable_variables,
            strict=True,
        ):
            if "seed" not in mine.path:
                assert_same(mine, theirs)
        tower.set_weights(before)
