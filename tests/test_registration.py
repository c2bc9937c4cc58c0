"""Everything that Keras saves is registered under its own module, once."""

import collections
import importlib
import inspect
import pkgutil

import keras
import pytest

import mbm_keras

KINDS = (
    keras.Layer,  # models too
    keras.Loss,
    keras.Metric,
    keras.Optimizer,
    keras.initializers.Initializer,
    keras.regularizers.Regularizer,
    keras.constraints.Constraint,
)


def modules():
    """All modules of mbm_keras, imported."""
    found = pkgutil.walk_packages(mbm_keras.__path__, "mbm_keras.")
    return [
        importlib.import_module(module.name)
        for module in found
        if not module.name.endswith("__main__")
    ]


def is_serializable(x):
    """True for a class that Keras can save, and for all that is registered."""
    if not inspect.isclass(x) and not inspect.isfunction(x):
        return False
    is_kind = inspect.isclass(x) and issubclass(x, KINDS)
    return is_kind or keras.saving.get_registered_name(x) != x.__name__


@pytest.fixture(scope="module")
def serializable():
    """What Keras can save, of all that mbm_keras defines."""
    found = [x for module in modules() for x in vars(module).values()]
    found += keras.saving.get_custom_objects().values()
    unique = {id(x): x for x in found if is_serializable(x)}.values()
    return [x for x in unique if x.__module__.startswith("mbm_keras.")]


def test_layers_losses_and_metrics_are_found(serializable):
    names = {x.__name__ for x in serializable}
    assert {"FiLMFusion", "CCALoss", "WordConvolutions", "MaskedMean"} <= names


def test_everything_is_registered_under_its_own_module(serializable):
    expected = {x: f"{x.__module__}>{x.__name__}" for x in serializable}
    registered = {x: keras.saving.get_registered_name(x) for x in serializable}
    wrong = {
        name: registered[x] for x, name in expected.items() if registered[x] != name
    }
    assert not wrong


def test_no_two_share_a_name(serializable):
    names = collections.Counter(map(keras.saving.get_registered_name, serializable))
    assert [name for name, count in names.items() if count > 1] == []


def test_a_name_gives_the_class_that_has_it(serializable):
    for x in serializable:
        name = keras.saving.get_registered_name(x)
        assert keras.saving.get_registered_object(name) is x, name
