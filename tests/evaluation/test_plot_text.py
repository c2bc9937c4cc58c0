"""Labels of every kind in plots."""

import warnings

import numpy as np
import pytest

from mbm_keras.evaluation import plots
from mbm_keras.evaluation.plot_text import plain
from mbm_keras.evaluation.plot_text import plain_labels

ODD = ["$^$", "$_{$", r"\$1", "a\nb", "x" * 300, "é", "\ue123", "", "%", "100$"]


def test_a_dollar_sign_is_no_formula():
    figure = plots.confusion_matrix(np.eye(2, dtype=int), ["$^$", "$x_1$"])
    ticks = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert ticks == [r"\$^\$", r"\$x_1\$"]
    assert figure._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize("label", ODD)
def test_a_stage_and_an_input_may_be_called_anything(label):
    history = {"loss": [1.0, 0.5], "val_loss": [1.0, float("nan")]}
    subsets = [{"inputs": [label, "b"], "rows": 3, "f1": 0.0}, {"inputs": [label]}]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert plots.curves({label: history})._repr_png_()
        assert plots.subset_bars(subsets, "f1")._repr_png_()


def test_a_label_that_no_font_has_is_its_number():
    assert plain_labels(["a", "\ue123"]) == ["a", "#1"]


def test_a_long_label_is_cut():
    assert plain("x" * 300) == "x" * 27 + "…"


@pytest.mark.parametrize("count", [1, 2, 51, 300])
def test_a_matrix_of_any_size_writes_at_most_fifty_labels(count):
    labels = [f"label {i}" for i in range(count)]
    figure = plots.confusion_matrix(np.eye(count, dtype=int), labels)
    ticks = figure.axes[0].get_yticklabels()
    assert ticks[0].get_text() == "label 0" and len(ticks) <= 50
    assert figure.get_size_inches().max() <= 12


def test_subsets_without_a_value_have_no_bar():
    rows = [{"inputs": ["a", "b"], "auc": None}, {"inputs": ["a"], "auc": 0.5}]
    figure = plots.subset_bars([*rows, {"inputs": ["b"], "auc": np.nan}], "auc")
    assert len(figure.axes[0].patches) == 1
