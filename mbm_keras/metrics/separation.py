"""Scores of separated sounds, in dB: SDR and SI-SDR, and their improvement."""

from typing import Any

import numpy as np


def separation_scores(separated: Any, sounds: Any, mixture: Any) -> dict[str, Any]:
    """SDR and SI-SDR of separated sounds, and their improvement over the mixture.

    Source: Vincent et al. 2006, "Performance Measurement in Blind Audio Source
    Separation", https://doi.org/10.1109/TSA.2005.858005, section III; Le Roux et al.
    2019, "SDR - Half-baked or Well Done?", https://arxiv.org/abs/1811.02508, section 2.
    Deviation: none.

    Args:
        separated: `(sounds, samples)`, the answer of a model, in the order of `sounds`.
        sounds: `(sounds, samples)`, the true sounds.
        mixture: `(samples,)`, the input of the model.

    Returns:
        A dict of arrays `(sounds,)` in dB: `sdr`, `si_sdr`, `sdr_improvement` and
        `si_sdr_improvement`. NaN for a silent sound.

    Raises:
        ValueError: If the shapes do not match.
    """
    separated, sounds = np.asarray(separated), np.asarray(sounds)
    mixture = np.asarray(mixture)
    if separated.shape != sounds.shape or sounds.shape[1:] != mixture.shape:
        raise ValueError(
            "Expected separated and sounds of shape (sounds, samples), and mixture of "
            f"shape (samples,). Received: separated={separated.shape}, "
            f"sounds={sounds.shape}, mixture={mixture.shape}."
        )
    unchanged = np.tile(mixture, (len(sounds), 1))  # (sounds, samples)
    scores = {"sdr": sdr(separated, sounds), "si_sdr": si_sdr(separated, sounds)}
    before = {"sdr": sdr(unchanged, sounds), "si_sdr": si_sdr(unchanged, sounds)}
    gains = {f"{name}_improvement": scores[name] - before[name] for name in scores}
    return scores | gains


def sdr(separated: Any, sounds: Any, taps: int = 512) -> np.ndarray:
    """Signal to distortion ratio of BSS Eval, in dB.

        s_f = the projection of s' on s delayed by 0 .. taps - 1 samples
        SDR = 10 log10(|s_f|^2 / |s' - s_f|^2)

    So a filter of the sound is not a distortion. Infinite for a filtered copy, except
    for rounding; NaN for silence.

    Args:
        separated: s', `(sounds, samples)`.
        sounds: s, the same shape.
        taps: Length of the filter, in samples.

    Returns:
        `(sounds,)` float64.
    """
    from scipy.linalg import solve_toeplitz

    separated = np.asarray(separated, "float64")
    sounds = np.asarray(sounds, "float64")
    length = separated.shape[1] + taps - 1
    ratios = []
    for answer, sound in zip(separated, sounds, strict=True):
        if not (answer.any() and sound.any()):
            ratios.append(np.nan)
            continue
        # Large enough for a correlation that does not wrap around.
        size = 2 ** (length - 1).bit_length()
        spectrum = np.fft.rfft(sound, size)
        auto = np.fft.irfft(np.abs(spectrum) ** 2, size)[:taps]
        cross = np.fft.irfft(spectrum.conj() * np.fft.rfft(answer, size), size)[:taps]
        kernel = solve_toeplitz(auto, cross)
        target = np.fft.irfft(spectrum * np.fft.rfft(kernel, size), size)[:length]
        distortion = np.pad(answer, [0, taps - 1]) - target
        with np.errstate(divide="ignore"):
            ratios.append(10 * np.log10((target**2).sum() / (distortion**2).sum()))
    return np.array(ratios)


def si_sdr(separated: Any, sounds: Any) -> np.ndarray:
    """Scale-invariant signal to distortion ratio, in dB.

        a = <s', s> / <s, s>,   SI-SDR = 10 log10(|a s|^2 / |a s - s'|^2)

    The mean of both is removed first. Infinite for a scaled copy, NaN for silence.

    Args:
        separated: s', `(..., samples)`.
        sounds: s, the same shape.

    Returns:
        `(...)` float64.
    """
    separated = np.asarray(separated, "float64")
    sounds = np.asarray(sounds, "float64")
    separated = separated - separated.mean(axis=-1, keepdims=True)
    sounds = sounds - sounds.mean(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = (separated * sounds).sum(-1, keepdims=True)
        target = scale / (sounds**2).sum(-1, keepdims=True) * sounds
        distortion = ((target - separated) ** 2).sum(-1)
        return 10 * np.log10((target**2).sum(-1) / distortion)
