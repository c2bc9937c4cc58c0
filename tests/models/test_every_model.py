"""What every model of the zoo must do. A new model is tested by being listed."""

import functools
import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.models import ZOO
from tests.helpers import assert_same
from tests.helpers import numpy
from tests.helpers import random_inputs

# Their inputs belong together, and their outputs are no logits of one label: how they
# learn is tested in files of their own.
SYSTEMS = ("looking_to_listen", "show_attend_tell")

every_model = pytest.mark.parametrize("name", ZOO)
with_presence = pytest.mark.parametrize(
    "name", [n for n in ZOO if n not in ("image_classifier", *SYSTEMS)]
)


def tiny(name):
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    preset = ZOO[name].PRESETS["tiny"]
    return ZOO[name].build(**getattr(preset, "arguments", preset))


@functools.cache
def untouched(name):
    """A model for tests that leave it as it is."""
    return tiny(name)


@every_model
def test_says_what_it_takes_and_gives(name):
    model, doc = untouched(name), inspect.getdoc(ZOO[name].build)
    for tensor in [*model.inputs, *model.output]:
        key = tensor if isinstance(tensor, str) else tensor.name
        assert f"{key}: `(batch," in doc
    assert "arxiv.org" in ZOO[name].__doc__ or "doi.org" in ZOO[name].__doc__


@every_model
def test_takes_a_dict_by_name_and_ignores_other_keys(name):
    model = untouched(name)
    x = random_inputs(model)
    extra = {"aaa_id": np.zeros((2, 1)), **x, "zzz": np.zeros((2, 3))}
    assert_same(model(x), model(extra))


@every_model
def test_saves_and_loads(name, tmp_path):
    model = untouched(name)
    x = random_inputs(model)
    model.save(tmp_path / "model.keras")
    assert_same(model(x), keras.models.load_model(tmp_path / "model.keras")(x))


@pytest.mark.slow
@every_model
def test_is_served_in_batches_of_any_size(name, tmp_path):
    model = untouched(name)
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


@with_presence
def test_the_content_of_an_absent_input_does_not_matter(name):
    model = untouched(name)
    x = random_inputs(model)
    x["present"][:, 1] = False
    second = [t.name for t in model.inputs][1]
    assert_same(model(x), model({**x, second: x[second] * 0}))


@pytest.mark.parametrize("name", [n for n in ZOO if n != "looking_to_listen"])
def test_every_weight_learns_and_one_batch_can_be_overfitted(name):
    model = tiny(name)
    x = random_inputs(model, batch=8)
    y = {}
    for key, out in model(x).items():
        places = np.arange(np.prod(out.shape[:-1])).reshape(out.shape[:-1])
        y[key] = places % out.shape[-1]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(
        keras.optimizers.Adam(0.01), loss={key: loss for key in y}, jit_compile=False
    )
    # A step on rows that lack something: what stands there reaches no weight.
    lacking = {key: array.copy() for key, array in x.items()}
    for i, tensor in enumerate(t for t in model.inputs if t.name != "present"):
        if "present" in x:
            lacking["present"][i, i] = False
            if tensor.dtype == "float32":
                lacking[tensor.name][i] = np.nan
    before = [keras.ops.convert_to_numpy(w) for w in model.trainable_weights]
    first = model.train_on_batch(lacking, y)
    for weight, old in zip(model.trainable_weights, before, strict=True):
        if name in ("mcan", "show_attend_tell") and weight.shape == (1,):
            continue  # the published constant under a softmax, which moves nothing
        assert (keras.ops.convert_to_numpy(weight) != old).any(), weight.path
    for weight in model.weights:
        assert np.isfinite(keras.ops.convert_to_numpy(weight)).all(), weight.path
    # In one batch the statistics of batch normalisation are those of the batch.
    for _ in range(80):
        model.reset_metrics()
        last = model.train_on_batch(x, y)
    assert last < 0.5 * first


@with_presence
def test_absent_rows_do_not_enter_the_statistics_of_a_tower(name):
    model, fresh = tiny(name), untouched(name)
    x = random_inputs(model, batch=8)
    x["present"] = np.random.default_rng(1).random(x["present"].shape) < 0.6
    model(x, training=True)
    for i, tensor in enumerate(t for t in model.inputs if t.name != "present"):
        tower = fresh.get_layer(f"{tensor.name}_tower")
        before = tower.get_weights()
        tower(x[tensor.name][x["present"][:, i]], training=True)
        for mine, theirs in zip(
            model.get_layer(tower.name).non_trainable_variables,
            tower.non_trainable_variables,
            strict=True,
        ):
            if "seed" not in mine.path:
                assert_same(mine, theirs)
        tower.set_weights(before)
