"""Plots of training and evaluation, as matplotlib figures."""

import io
import warnings
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import matplotlib.figure
import numpy as np

from mbm_keras.evaluation.plot_text import all_fonts
from mbm_keras.evaluation.plot_text import plain
from mbm_keras.evaluation.plot_text import plain_labels

INK, ACCENT, SOFT = "#1f2430", "#2f6fde", "#b9c6dd"
_MAX_TICKS = 50  # labels on an axis


class Figure(matplotlib.figure.Figure):
    """A figure that a notebook displays without pyplot and its global state."""

    def _repr_png_(self):
        data = io.BytesIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph")  # no font has it: a box
            self.savefig(data, format="png", dpi=110)
        return data.getvalue()


@all_fonts
def curves(
    histories: Mapping[str, Mapping[str, Sequence[float]]], metric: str | None = None
) -> Figure:
    """Loss and a metric of all stages, epoch by epoch.

    Args:
        histories: By name of the stage, lists by name of the value, as `fit_stages`
            returns them.
        metric: Name of the metric; None for the first one in the histories.

    Returns:
        A figure with two panels; the stages follow each other on the axis.
    """
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    panels = figure.subplots(1, 2)
    histories = {stage: history for stage, history in histories.items() if history}
    first = next(iter(histories.values()), {})
    metrics = [
        name
        for name in first
        if not name.startswith("val_") and name not in ("loss", "learning_rate")
    ]
    names = ["loss", *([metric] if metric else metrics[:1])] if histories else []
    for panel, name in zip(panels, names, strict=False):
        start = 0
        for stage, history in histories.items():
            epochs = np.arange(len(history[name])) + start + 1
            panel.plot(epochs, history[name], color=SOFT, marker=".")
            if f"val_{name}" in history:
                panel.plot(epochs, history[f"val_{name}"], color=ACCENT, marker=".")
            if start:
                panel.axvline(start + 0.5, color=INK, lw=0.5, ls=":")
            panel.annotate(
                plain(stage),
                (start + 0.7, 1.01),
                xycoords=("data", "axes fraction"),
                fontsize=7,
                rotation=20,
            )
            start += len(epochs)
        panel.set_xlim(0.5, start + 0.5)
        panel.set_xlabel("epoch")
        panel.set_ylabel(name)
        panel.plot([], [], color=SOFT, label="training")
        if any(f"val_{name}" in history for history in histories.values()):
            panel.plot([], [], color=ACCENT, label="validation")
        panel.legend(frameon=False, fontsize=8)
    for panel in panels[len(names) :]:
        panel.set_visible(False)
    return _hide_spines(figure)


@all_fonts
def confusion_matrix(counts: np.ndarray, labels: Sequence[str]) -> Figure:
    """The counts of `confusion` as a grid, colored by the share of each row.

    Args:
        counts: `(labels, labels)` int: rows by true label, columns by predicted label.
        labels: Names of the labels. A label that no font has is `#` and its number;
            of more than 50, some are written.

    Returns:
        A figure.
    """
    names = plain_labels(labels)
    size = 2.0 + 0.42 * len(labels) + 0.065 * max(map(len, names), default=0)
    size = min(12.0, size)
    figure = Figure(figsize=(size, size), layout="constrained")
    panel = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    positions = np.arange(len(labels))[:: -(-len(labels) // _MAX_TICKS) or 1]
    shown = [names[i] for i in positions]
    panel.set_xticks(positions, shown, rotation=90, fontsize=8)
    panel.set_yticks(positions, shown, fontsize=8)
    if len(labels) <= 25:
        for (i, j), n in np.ndenumerate(counts):
            if n:
                color = "white" if shares[i, j] > 0.5 else INK
                panel.text(j, i, n, ha="center", va="center", fontsize=7, color=color)
    panel.set_xlabel("predicted label")
    panel.set_ylabel("label")
    return _hide_spines(figure)


@all_fonts
def subset_bars(table: Sequence[Mapping[str, Any]], metric: str) -> Figure:
    """One metric for each subset of the inputs, as bars.

    Args:
        table: What `subsets` returned.
        metric: Name of the value to show.

    Returns:
        A figure.
    """
    table = [row for row in table if _is_finite(row.get(metric))]
    most = max((len(row["inputs"]) for row in table), default=0)
    strong = [len(row["inputs"]) == most for row in table]
    names = [_subset_name(row["inputs"], table[0]["inputs"]) for row in table]
    return _bars(names, [row[metric] for row in table], strong, metric)


@all_fonts
def baseline_bars(
    model: Mapping[str, Any], baselines: Sequence[Mapping[str, Any]], metric: str
) -> Figure:
    """One metric of a model, and of plain baselines on the same rows, as bars.

    Args:
        model: Its `name` and its values.
        baselines: `name`, `inputs` and values of each.
        metric: Name of the value to show.

    Returns:
        A figure.
    """
    table = [row for row in [model, *baselines] if _is_finite(row.get(metric))]
    names = [
        ": ".join(filter(None, [_join(row.get("inputs", ())), row["name"]]))
        for row in table
    ]
    strong = [row is model for row in table]
    return _bars(names, [row[metric] for row in table], strong, metric)


def _join(inputs):
    return " + ".join(map(plain, inputs)) if len(inputs) <= 5 else "all inputs"


def _bars(names, values, strong, metric):
    """Horizontal bars from top to bottom, the strong ones in color."""
    figure = Figure(figsize=(7.5, 0.6 + 0.34 * len(names)), layout="constrained")
    panel = figure.subplots()
    positions = np.arange(len(names))[::-1]
    panel.barh(positions, values, color=[ACCENT if one else SOFT for one in strong])
    panel.set_yticks(positions, names, fontsize=8)
    for position, value in zip(positions, values, strict=True):
        panel.text(value, position, f" {value:.3f}", va="center", fontsize=8)
    panel.set_xlabel(metric)
    panel.margins(x=0.12)
    return _hide_spines(figure)


def _subset_name(inputs, everything):
    """Names of the inputs; with many of them, the one that is absent."""
    if len(inputs) <= 5:
        return " + ".join(map(plain, inputs))
    absent = [name for name in everything if name not in inputs]
    return f"all but {', '.join(map(plain, absent))}" if absent else "all inputs"


def _is_finite(value):
    return value is not None and bool(np.isfinite(value))


def _hide_spines(figure):
    for panel in figure.axes:
        panel.spines[["top", "right"]].set_visible(False)
    return figure


@all_fonts
def attention(
    image: np.ndarray, words: Sequence[str], weights: np.ndarray, columns: int = 5
) -> Figure:
    """An image, and the attention weights of the model for each word of its caption.

    Args:
        image: `(height, width, 3)` uint8.
        words: The caption, word by word; not more than the rows of `weights`.
        weights: `(words, positions)`, for the positions of a square grid, row by row
            from the top left. The brightest position has the largest weight.
        columns: Panels in a row.

    Returns:
        A figure: the image, then a panel for each word.

    Raises:
        ValueError: If the positions are not a square, or there are more words than
            rows.
    """
    weights = np.asarray(weights)
    side = round(weights.shape[1] ** 0.5)
    if side**2 != weights.shape[1] or len(words) > len(weights):
        raise ValueError(
            "Expected weights `(words, positions)` with a row for each word and a "
            "square number of positions. "
            f"Received: {len(words)} words, weights of shape {weights.shape}."
        )
    rows = -(-(1 + len(words)) // columns)
    figure = Figure(figsize=(1.7 * columns, 1.9 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels:
        panel.set_axis_off()
    height, width = image.shape[:2]
    panels[0].imshow(image)
    for panel, word, row in zip(panels[1:], words, weights, strict=False):
        panel.imshow(image)
        panel.imshow(
            row.reshape(side, side),
            extent=(-0.5, width - 0.5, height - 0.5, -0.5),
            cmap="gray",
            alpha=0.65,
            interpolation="bicubic",
            vmin=0.0,
        )
        panel.set_title(plain(word), fontsize=9, color=INK)
    return figure


def separation(
    mixture: np.ndarray, sounds: np.ndarray, sample_rate: int, window: int = 512
) -> Figure:
    """A mixture, the sounds separated from it, and the mask of each sound.

    Args:
        mixture: `(samples,)` float32.
        sounds: `(sounds, samples)` float32.
        sample_rate: In Hz.
        window: Length of the Hann window, in samples.

    Returns:
        A figure: on the left the spectrograms of mixture and sounds, in dB relative to
        the maximum of the mixture; on the right the masks of the sounds, |S| / |X|, at
        most 1.

    Raises:
        ValueError: If the sounds are not as long as the mixture, or shorter than a
            window.
    """
    mixture, sounds = np.asarray(mixture), np.asarray(sounds)
    if sounds.shape[1:] != mixture.shape or mixture.shape[0] < window:
        raise ValueError(
            "Expected sounds `(sounds, samples)` as long as the mixture `(samples,)`, "
            f"and at least window={window} samples. "
            f"Received: mixture of shape {mixture.shape}, sounds of shape "
            f"{sounds.shape}."
        )
    whole, *parts = (_magnitudes(wave, window) for wave in (mixture, *sounds))
    loudest = max(float(whole.max()), 1e-8)
    span = (0, len(mixture) / sample_rate, 0, sample_rate / 2_000)
    like = dict(origin="lower", aspect="auto", extent=span, interpolation="nearest")
    rows = 1 + len(parts)
    figure = Figure(figsize=(9, 1.9 * rows), layout="constrained")
    panels = figure.subplots(rows, 2, squeeze=False, sharex=True, sharey=True)
    panels[0, 1].axis("off")
    for i, magnitudes in enumerate((whole, *parts)):
        below = 20 * np.log10(np.maximum(magnitudes / loudest, 1e-8))
        shown = panels[i, 0].imshow(below.T, cmap="magma", vmin=-70, vmax=0, **like)
        panels[i, 0].set_title(f"speaker {i}" if i else "mixture", fontsize=9)
        panels[i, 0].set_ylabel("kHz")
        if i:
            mask = np.clip(magnitudes / np.maximum(whole, loudest * 1e-4), 0, 1)
            masks = panels[i, 1].imshow(mask.T, cmap="Blues", vmin=0, vmax=1, **like)
            panels[i, 1].set_title(f"mask of speaker {i}", fontsize=9)
    figure.colorbar(shown, ax=panels[:, 0], label="dB")
    figure.colorbar(masks, ax=panels[1:, 1], label="mask")
    for panel in panels[-1]:
        panel.set_xlabel("seconds")
    return figure


def _magnitudes(wave, window):
    """Magnitudes `(frames, window // 2 + 1)`; the hop is a quarter of the window."""
    hop = window // 4
    pieces = np.lib.stride_tricks.sliding_window_view(wave, window)[::hop]
    return np.abs(np.fft.rfft(pieces * np.hanning(window), axis=1))
