"""Pictures of training and evaluation, as matplotlib figures."""

import io

import matplotlib.figure
import numpy as np

INK, ACCENT, SOFT = "#1f2430", "#2f6fde", "#b9c6dd"


class Figure(matplotlib.figure.Figure):
    """A figure that a notebook shows without pyplot and its global state."""

    def _repr_png_(self):
        data = io.BytesIO()
        self.savefig(data, format="png", dpi=110)
        return data.getvalue()


def curves(histories):
    """Loss and the first metric of every stage, epoch by epoch.

    Args:
        histories: By stage name, lists by figure, as `fit_stages` returns them.

    Returns:
        A figure with two panels; stages stand one after the other.
    """
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    panels = figure.subplots(1, 2)
    first = next(iter(histories.values()), {})
    names = [n for n in first if not n.startswith("val_") and n != "learning_rate"]
    for panel, name in zip(panels, names[:2], strict=False):
        start = 0
        for stage, history in histories.items():
            epochs = np.arange(len(history[name])) + start + 1
            panel.plot(epochs, history[name], color=SOFT, marker=".")
            if f"val_{name}" in history:
                panel.plot(epochs, history[f"val_{name}"], color=ACCENT, marker=".")
            if start:
                panel.axvline(start + 0.5, color=INK, lw=0.5, ls=":")
            panel.annotate(
                stage,
                (start + 0.7, 1.01),
                xycoords=("data", "axes fraction"),
                fontsize=7,
                rotation=20,
            )
            start += len(epochs)
        panel.set_xlabel("epoch")
        panel.set_ylabel(name)
        panel.plot([], [], color=SOFT, label="training")
        panel.plot([], [], color=ACCENT, label="validation")
        panel.legend(frameon=False, fontsize=8)
    return _plain(figure)


def confusion_matrix(counts, labels):
    """The counts of `confusion` as a grid, each row coloured by its shares.

    Args:
        counts: `(labels, labels)`.
        labels: Names of the labels.

    Returns:
        A figure.
    """
    size = min(12.0, 2.2 + 0.42 * len(labels))
    figure = Figure(figsize=(size, size), layout="constrained")
    panel = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    places = np.arange(len(labels))
    panel.set_xticks(places, labels, rotation=90, fontsize=8)
    panel.set_yticks(places, labels, fontsize=8)
    if len(labels) <= 25:
        for (i, j), n in np.ndenumerate(counts):
            if n:
                color = "white" if shares[i, j] > 0.5 else INK
                panel.text(j, i, n, ha="center", va="center", fontsize=7, color=color)
    panel.set_xlabel("answer")
    panel.set_ylabel("truth")
    return _plain(figure)


def subset_bars(table, metric):
    """One metric for every subset of the inputs, as bars.

    Args:
        table: What `subsets` gave.
        metric: Name of the figure to show.

    Returns:
        A figure.
    """
    table = [row for row in table if metric in row]
    figure = Figure(figsize=(7.5, 0.6 + 0.34 * len(table)), layout="constrained")
    panel = figure.subplots()
    places = np.arange(len(table))[::-1]
    values = [row[metric] for row in table]
    most = max(len(row["inputs"]) for row in table)
    colors = [ACCENT if len(row["inputs"]) == most else SOFT for row in table]
    panel.barh(places, values, color=colors)
    panel.set_yticks(places, [" + ".join(row["inputs"]) for row in table], fontsize=8)
    for place, value in zip(places, values, strict=True):
        panel.text(value, place, f" {value:.3f}", va="center", fontsize=8)
    panel.set_xlabel(metric)
    panel.margins(x=0.12)
    return _plain(figure)


def _plain(figure):
    for panel in figure.axes:
        panel.spines[["top", "right"]].set_visible(False)
    return figure


def attention(image, words, looked, columns=5):
    """A picture, and for every word of its caption where the model looked.

    Args:
        image: `(height, width, 3)` uint8.
        words: The caption, word by word; more than there are rows in `looked` is an
            error, fewer leave the rest out.
        looked: `(words, places)`, the places of a square grid in rows from the top
            left. The brightest is where it looked most.
        columns: Panels in a row.

    Returns:
        A figure: the picture, then a panel per word.

    Raises:
        ValueError: If the places are no square, or there are more words than rows.
    """
    looked = np.asarray(looked)
    side = round(looked.shape[1] ** 0.5)
    if side**2 != looked.shape[1] or len(words) > len(looked):
        raise ValueError(
            "There is a row for every word, and the places make a square. "
            f"Received: {len(words)} words, looked of shape {looked.shape}."
        )
    rows = -(-(1 + len(words)) // columns)
    figure = Figure(figsize=(1.7 * columns, 1.9 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels:
        panel.set_axis_off()
    height, width = image.shape[:2]
    panels[0].imshow(image)
    for panel, word, row in zip(panels[1:], words, looked, strict=False):
        panel.imshow(image)
        panel.imshow(
            row.reshape(side, side),
            extent=(-0.5, width - 0.5, height - 0.5, -0.5),
            cmap="gray",
            alpha=0.65,
            interpolation="bicubic",
            vmin=0.0,
        )
        panel.set_title(word, fontsize=9, color=INK)
    return figure


def separation(mixture, sounds, sample_rate, window=512):
    """A mixture, what was taken out of it, and the share of it that this is.

    Args:
        mixture: `(samples,)` float32.
        sounds: `(sounds, samples)` float32.
        sample_rate: In hertz.
        window: Length of the Hann window, in samples.

    Returns:
        A figure: spectrograms in decibels below the loudest of the mixture on the left,
        and right of every sound its mask, |S| / |X| up to 1.

    Raises:
        ValueError: If the sounds are not as long as the mixture, or shorter than a
            window.
    """
    mixture, sounds = np.asarray(mixture), np.asarray(sounds)
    if sounds.shape[1:] != mixture.shape or mixture.shape[0] < window:
        raise ValueError(
            f"Sounds are as long as the mixture, and as a window of {window} at least. "
            f"Received: {mixture.shape} and {sounds.shape}."
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
            share = panels[i, 1].imshow(mask.T, cmap="Blues", vmin=0, vmax=1, **like)
            panels[i, 1].set_title(f"mask of speaker {i}", fontsize=9)
    figure.colorbar(shown, ax=panels[:, 0], label="dB")
    figure.colorbar(share, ax=panels[1:, 1], label="share")
    for panel in panels[-1]:
        panel.set_xlabel("seconds")
    return figure


def _magnitudes(wave, window):
    """`(frames, window // 2 + 1)` of windows that overlap by half and more."""
    hop = window // 4
    pieces = np.lib.stride_tricks.sliding_window_view(wave, window)[::hop]
    return np.abs(np.fft.rfft(pieces * np.hanning(window), axis=1))
