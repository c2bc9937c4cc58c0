"""How well sounds were taken apart."""

import numpy as np


def separation_scores(separated, sounds, mixture):
    """SDR and SI-SDR of separated sounds, and how far they are above the mixture.

    Sources: Vincent et al. 2006, "Performance Measurement in Blind Audio Source
    Separation", https://doi.org/10.1109/TSA.2005.858005, section III; Le Roux et al.
    2019, "SDR - Half-baked or Well Done?", https://arxiv.org/abs/1811.02508, section 2.

    Args:
        separated: `(sounds, samples)`, what a model gave, in the order of `sounds`.
        sounds: `(sounds, samples)`, what it should be.
        mixture: `(samples,)`, what it was given.

    Returns:
        A dict of arrays `(sounds,)` in decibels: `sdr`, `si_sdr`, and
        `sdr_improvement`, `si_sdr_improvement` over the mixture. A sound that is silent
        has no such ratio: NaN.

    Raises:
        ValueError: If the shapes do not belong together.
    """
    separated, sounds = np.asarray(separated), np.asarray(sounds)
    mixture = np.asarray(mixture)
    if separated.shape != sounds.shape or sounds.shape[1:] != mixture.shape:
        raise ValueError(
            "Sounds and what they should be are `(sounds, samples)`, the mixture "
            f"`(samples,)`. Received: {separated.shape}, {sounds.shape}, "
            f"{mixture.shape}."
        )
    unchanged = np.tile(mixture, (len(sounds), 1))
    scores = {
        "sdr": sdr(separated, sounds),
        "si_sdr": si_sdr(separated, sounds),
    }
    before = {"sdr": sdr(unchanged, sounds), "si_sdr": si_sdr(unchanged, sounds)}
    gained = {f"{k}_improvement": v - before[k] for k, v in scores.items()}
    return scores | gained


def sdr(separated, sounds, taps=512):
    """Signal to distortion ratio, in decibels, of BSS Eval.

    What a filter of `taps` makes of the sound is no distortion. Infinite for such a
    copy of the sound but for rounding, NaN for silence.

    Args:
        separated: `(sounds, samples)`.
        sounds: The same shape, what it should be.
        taps: Length of the filter, in samples.

    Returns:
        `(sounds,)` float64.
    """
    from scipy.linalg import solve_toeplitz

    separated = np.asarray(separated, "float64")
    sounds = np.asarray(sounds, "float64")
    length = separated.shape[1] + taps - 1
    ratios = []
    for given, wanted in zip(separated, sounds, strict=True):
        if not (given.any() and wanted.any()):
            ratios.append(np.nan)
            continue
        # As long as to keep the ends of a correlation apart.
        size = 2 ** (length - 1).bit_length()
        spectrum = np.fft.rfft(wanted, size)
        own = np.fft.irfft(np.abs(spectrum) ** 2, size)[:taps]
        with_it = np.fft.irfft(spectrum.conj() * np.fft.rfft(given, size), size)[:taps]
        kernel = solve_toeplitz(own, with_it)
        target = np.fft.irfft(spectrum * np.fft.rfft(kernel, size), size)[:length]
        rest = np.pad(given, [0, taps - 1]) - target
        with np.errstate(divide="ignore"):
            ratios.append(10 * np.log10((target**2).sum() / (rest**2).sum()))
    return np.array(ratios)


def si_sdr(separated, sounds):
    """Scale-invariant signal to distortion ratio, in decibels.

        a = <s', s> / <s, s>,   SI-SDR = 10 log10(|a s|^2 / |a s - s'|^2)

    Both are freed of their mean. Infinite for a copy of the sound, NaN for silence.

    Args:
        separated: `(..., samples)`.
        sounds: The same shape, what it should be.

    Returns:
        `(...)` float64.
    """
    separated = np.asarray(separated, "float64")
    sounds = np.asarray(sounds, "float64")
    separated = separated - separated.mean(axis=-1, keepdims=True)
    sounds = sounds - sounds.mean(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = (separated * sounds).sum(-1, keepdims=True)
        wanted = scale / (sounds**2).sum(-1, keepdims=True) * sounds
        rest = ((wanted - separated) ** 2).sum(-1)
        return 10 * np.log10((wanted**2).sum(-1) / rest)
