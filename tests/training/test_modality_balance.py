"""Shares of modalities while a model trains."""

import warnings

import keras
import numpy as np
import pytest

from mbm_keras.training import ModalityBalance
from tests.helpers import numpy
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


def mean_loss(model, x, y, keep):
    """The mean loss of the rows that have one of the inputs `keep`, in NumPy."""
    present = x["present"] & np.isin(np.arange(3), keep)
    valid = present.any(axis=1)
    logits = numpy(model({**x, "present": present}))[THREE.name].astype("float64")
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(valid)), y[THREE.name]][valid].mean()


def test_shares_are_those_of_the_losses_without_each_input():
    model = small_late_fusion()
    x, y = small_batch(model, rows=12)
    x["present"] = np.random.default_rng(1).random((12, 3)) < 0.7
    x["present"][:6] = np.eye(3, dtype=bool)[[0, 1, 2, 0, 0, 0]]
    compile_model(model)
    parts = [
        ({n: a[rows] for n, a in x.items()}, {n: a[rows] for n, a in y.items()})
        for rows in (
            slice(3),
            slice(3, 6),
            slice(6, 12),
        )  # only the image in the second
    ]
    balance = ModalityBalance(parts)
    balance.set_model(model)
    whole = mean_loss(model, x, y, [0, 1, 2])
    without = [mean_loss(model, x, y, keep) for keep in ([1, 2], [0, 2], [0, 1])]
    gains = np.maximum(np.array(without) - whole, 0)
    assert 0 < (gains > 0).sum()
    shares = balance.shares()
    assert list(shares) == list(KEYS)
    np.testing.assert_allclose(list(shares.values()), gains / gains.sum(), atol=1e-4)


def test_a_warning_comes_after_some_epochs_in_a_row(monkeypatch):
    model = small_late_fusion()
    balance = ModalityBalance([], least=0.1, patience=2)
    balance.set_model(model)
    balance.on_train_begin()
    warned = []
    for small in (0.05, 0.2, 0.05, 0.05, 0.05):
        shares = {"image": small, "audio": 0.1, "table": 0.9 - small}
        monkeypatch.setattr(balance, "shares", lambda shares=shares: shares)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            logs = {}
            balance.on_epoch_end(0, logs)
        assert logs == {f"share_{key}": share for key, share in shares.items()}
        warned.append([str(w.message) for w in seen])
    assert [len(messages) for messages in warned] == [0, 0, 0, 1, 0]
    assert "'image': its share is 5.0% for 2 epochs" in warned[3][0]


def test_a_model_without_presence_is_an_error():
    model = small_late_fusion(presence=False)
    compile_model(model)
    with pytest.raises(ValueError, match="presence=True"):
        model.fit(*small_batch(model), verbose=0, callbacks=[ModalityBalance([])])
