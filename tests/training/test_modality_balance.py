"""Shares of modalities while a model trains."""

import warnings

import keras
import numpy as np
import pytest

from mbm_keras.training import ModalityBalance
from tests.toys import KEYS
from tests.toys import THREE
from tests.toys import small_batch
from tests.toys import small_late_fusion


def compile_model(model):
    model.compile(
        keras.optimizers.Adam(0.03),
        {THREE.name: THREE.loss()},
        metrics={THREE.name: THREE.metrics()},
        jit_compile=False,
    )


@pytest.fixture(scope="module")
def training():
    """A model, data whose labels only the table says, balance, history, warnings."""
    model = small_late_fusion()
    x, _ = small_batch(model, rows=256)
    labels = np.random.default_rng(0).integers(0, 3, 256)
    x["table"][:, 0] = labels - 1.0
    y = {THREE.name: labels}
    batches = [
        ({n: a[i : i + 64] for n, a in x.items()}, {THREE.name: labels[i : i + 64]})
        for i in range(0, 256, 64)
    ]
    compile_model(model)
    balance = ModalityBalance(batches, least=0.1)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        history = model.fit(x, y, epochs=10, verbose=0, callbacks=[balance]).history
    return model, (x, y), balance, history, [str(w.message) for w in seen]


@pytest.mark.slow
def test_the_only_input_that_says_the_label_has_the_largest_share(training):
    *_, history, _ = training
    assert history["share_table"][-1] > 0.8
    assert sum(history[f"share_{key}"][-1] for key in KEYS) == pytest.approx(1)


@pytest.mark.slow
def test_an_input_that_is_not_used_is_warned_of(training):
    *_, seen = training
    warned = [text for text in seen if "does not use" in text]
    assert any("'image'" in text or "'audio'" in text for text in warned)
    assert not any("'table'" in text for text in warned)


@pytest.mark.slow
def test_the_loss_is_that_of_the_model(training):
    model, (x, y), balance, *_ = training
    expected = model.evaluate(x, y, verbose=0, return_dict=True)["loss"]
    assert balance._loss(None) == pytest.approx(expected, rel=1e-3)


def test_a_model_without_presence_is_an_error():
    model = small_late_fusion(presence=False)
    compile_model(model)
    with pytest.raises(ValueError, match="presence=True"):
        model.fit(*small_batch(model), verbose=0, callbacks=[ModalityBalance([])])
