"""Several processes and devices train the weights of one, or end with a message."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import types

import keras
import numpy as np
import pytest

from mbm_keras.inputs import VALID
from mbm_keras.tasks import Association
from mbm_keras.tasks import Classification
from mbm_keras.training import distribution
from mbm_keras.training import fit_stages
from mbm_keras.training import peers
from mbm_keras.training.equal_batches import equal_batches
from mbm_keras.training.equal_batches import take_block

ROOT = pathlib.Path(__file__).parents[2]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def begin(folder, coordinator, processes, process, *options, flags=""):
    """Starts `tests.training.together` in one process."""
    folder.mkdir(exist_ok=True)
    words = [folder, coordinator, processes, process, *options]
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "XLA_FLAGS": f"--xla_backend_optimization_level=0 {flags}",  # compiles faster
    }
    return subprocess.Popen(
        [sys.executable, "-m", "tests.training.together", *map(str, words)],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process, code=0):
    """Its errors, when it has ended as expected."""
    try:
        _, errors = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == code, errors[-2_000:]
    return errors


def both(folder, *options):
    """Starts two processes."""
    coordinator = f"127.0.0.1:{free_port()}"
    return [begin(folder, coordinator, 2, i, *options) for i in range(2)]


def result(folder, processes=1, name="end"):
    found = np.load(folder / f"{name}-{processes}.npz")
    weights = {name: found[name] for name in found.files if name != "histories"}
    return weights, json.loads(str(found["histories"]))


def assert_close(one, two, atol):
    (weights, histories), (other, other_histories) = one, two
    assert len(weights) > 10
    for name in weights:
        np.testing.assert_allclose(weights[name], other[name], rtol=0, atol=atol)
    for stage, history in histories.items():
        for name, values in history.items():
            np.testing.assert_allclose(
                values, other_histories[stage][name], rtol=0, atol=max(atol, 1e-6)
            )


@pytest.fixture(scope="module", autouse=True)
def compiled(tmp_path_factory):
    """What one process has compiled, the next reads: that is most of their time."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("compiled")
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(folder))
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
        yield


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """What one process ends with, in stages of each kind and with dropout."""
    folder = tmp_path_factory.mktemp("one")
    end(begin(folder, "alone", 1, 0, "stages", "dropout", "pairs"))
    return result(folder), result(folder, name="pairs")


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The folder of two processes: a whole training, then one that a kill ended."""
    folder = tmp_path_factory.mktemp("two")
    first, second = both(folder, "stages", "dropout", "pairs", "kill=14")
    end(second, -signal.SIGKILL)
    start = time.monotonic()
    errors = end(first, peers.ENDED)
    return types.SimpleNamespace(
        folder=folder, errors=errors, seconds=time.monotonic() - start
    )


@pytest.mark.slow
def test_two_devices_of_a_process_train_the_weights_of_one(one, tmp_path):
    flags = "--xla_force_host_platform_device_count=2"
    end(begin(tmp_path, "devices", 1, 0, "stages", "dropout", flags=flags))
    assert_close(one[0], result(tmp_path), 1e-4)


@pytest.mark.slow
def test_two_processes_train_the_weights_of_one(one, two):
    assert_close(one[0], result(two.folder, 2), 1e-4)
    assert_close(one[1], result(two.folder, 2, "pairs"), 1e-4)


@pytest.mark.slow
def test_a_process_that_is_killed_ends_the_others_with_its_number(two):
    assert two.seconds < 15
    assert "Process 1 of 2 has ended" in two.errors


@pytest.mark.slow
def test_killed_processes_continue_to_the_weights_of_a_whole_training(two, tmp_path):
    folder = shutil.copytree(two.folder / "killed", tmp_path / "killed")
    for process in both(folder, "stages", "dropout"):
        end(process)
    assert_close(result(two.folder, 2), result(folder, 2), 0.0)


@pytest.mark.slow
def test_one_process_continues_what_two_began(two, tmp_path):
    folder = shutil.copytree(two.folder / "killed", tmp_path / "killed")
    end(begin(folder, "alone", 1, 0, "stages", "dropout"))
    assert_close(result(two.folder, 2), result(folder), 1e-4)


@pytest.mark.slow
def test_a_published_encoder_divided_between_devices_trains_the_same_weights(tmp_path):
    whole, divided = tmp_path / "whole", tmp_path / "divided"
    end(begin(whole, "alone", 1, 0, "published"))
    flags = "--xla_force_host_platform_device_count=4"
    end(begin(divided, "layout", 1, 0, "published", flags=flags))
    assert_close(result(whole), result(divided), 1e-4)


def test_a_model_of_several_replicas_on_tensorflow_is_refused(monkeypatch):
    task = Classification(2, "y")
    x = keras.Input((3,), name="x")
    model = keras.Model([x], {"y": task.head(x, name="y")})
    strategy = types.SimpleNamespace(num_replicas_in_sync=2)
    monkeypatch.setattr(type(model), "distribute_strategy", strategy, raising=False)
    with pytest.raises(ValueError, match="KERAS_BACKEND=jax"):
        fit_stages(model, [], None, task=task)


def test_the_tensorflow_backend_is_refused_and_jax_is_named():
    if keras.backend.backend() == "jax":
        pytest.skip("JAX is the backend")
    with (
        pytest.raises(ValueError, match="KERAS_BACKEND=jax"),
        distribution.start("localhost:7000", 2, 0),
    ):
        pass


def test_a_layout_that_is_of_no_variable_is_refused():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="query")])
    layout = {".*query/kernel": (None, "model"), "kernel": (None, "model")}
    together = distribution.Together(0, 1, ("cpu:0",), layout=layout)
    with pytest.raises(ValueError, match=r"Received: \['kernel'\]"):
        together.check_layout(model)


def test_a_block_of_arrays_is_padded_with_zeros():
    rows = np.arange(1, 6)
    parts = [take_block([rows], (i, 2, 2), 6) for i in range(2)]
    joined = np.concatenate([block for (block,), _ in parts])
    assert joined.tolist() == [1, 2, 3, 4, 5, 0, 0, 0]
    valid = np.concatenate([valid for _, valid in parts])
    assert valid.tolist() == (joined > 0).tolist()


PADDED = types.SimpleNamespace(element_spec=({VALID: None}, {}))


def test_batches_without_padding_are_refused_on_several_devices():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    batches = types.SimpleNamespace(element_spec=({"x": None}, {}))
    with pytest.raises(ValueError, match="shard=together.shard"):
        equal_batches(model, batches, Classification(2))


def test_a_normalization_that_would_count_padding_is_refused_unless_it_is_frozen():
    x = keras.Input((3,))
    norm = keras.layers.BatchNormalization(name="norm")
    model = keras.Model(x, {"y": norm(x)})
    with pytest.raises(ValueError, match="norm"):
        equal_batches(model, PADDED, Classification(2))
    norm.trainable = False
    equal_batches(model, PADDED, Classification(2))


def test_pairs_without_presence_would_count_padding_and_are_refused():
    x = keras.Input((3,))
    model = keras.Model(x, {"y": x})
    with pytest.raises(ValueError, match="presence=True"):
        equal_batches(model, PADDED, Association(2))
