"""Fixtures of all tests."""

import gc
import os
import pathlib

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def pytest_collection_modifyitems(items):
    """Files with slow tests come first: in the end no worker waits for another."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish():
    """What is imported by now stays: collections of garbage need not visit it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def one_model():
    """Runs train one model, unless they say how many: several take several times."""
    from mbm_keras.auto import budget

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(budget, "MEMBERS", ())
        yield


@pytest.fixture
def eagerly():
    """Without graphs: a few steps take less time than tracing.

    Not where something changes while a model trains, which a graph may not see.
    """
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def real_data():
    """The folder of real archives; without it a test is skipped."""
    folder = os.environ.get("MBM_DATA_DIR")
    if not folder:
        pytest.skip("needs real archives: set MBM_DATA_DIR to their folder")
    return pathlib.Path(folder)
