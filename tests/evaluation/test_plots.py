"""Figures of attention and of separated sounds."""

import numpy as np
import pytest

from mbm_keras.evaluation import plots

IMAGE = np.zeros((8, 8, 3), "uint8")
ALPHA = np.eye(4)[[0, 3, 1]]  # three words, 2 x 2 regions


def test_attention_has_a_panel_for_every_word():
    figure = plots.attention(IMAGE, ["a", "ring"], ALPHA)
    panels = [panel for panel in figure.axes if panel.images]
    assert [panel.get_title() for panel in panels] == ["", "a", "ring"]
    assert np.argmax(panels[2].images[1].get_array()) == 3
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_attention_rejects_more_words_than_rows():
    with pytest.raises(ValueError, match="4 words"):
        plots.attention(IMAGE, ["a"] * 4, ALPHA)


def test_attention_rejects_regions_that_are_not_a_square():
    with pytest.raises(ValueError, match="square number of positions"):
        plots.attention(IMAGE, ["a"], ALPHA[:, :3])


def test_separation_has_the_mixture_the_sounds_and_their_masks():
    time = np.arange(4_000) / 4_000
    low, high = np.sin(2 * np.pi * 300 * time), np.sin(2 * np.pi * 1_500 * time)
    figure = plots.separation(low + high, np.stack([low, high]), 4_000)
    panels = {panel.get_title(): panel for panel in figure.axes}
    assert {"mixture", "speaker 1", "mask of speaker 2"} <= set(panels)
    for i, hertz in ((1, 300), (2, 1_500)):
        mask = panels[f"mask of speaker {i}"].images[0].get_array()
        bins = np.arange(mask.shape[0]) * 2_000 / (mask.shape[0] - 1)
        near, other = np.abs(bins - hertz) < 20, np.abs(bins - 1_800 + hertz) < 20
        assert mask[near].min() > 0.9 and mask[other].max() < 0.1
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_separation_rejects_sounds_of_another_length():
    with pytest.raises(ValueError, match="as long as"):
        plots.separation(np.zeros(4_000), np.zeros((2, 3_999)), 4_000)


def test_separation_rejects_sounds_shorter_than_a_window():
    with pytest.raises(ValueError, match="window=512"):
        plots.separation(np.zeros(400), np.zeros((2, 400)), 4_000)
