"""SDR and SI-SDR: by hand, their improvement, and silence."""

import warnings

import numpy as np
import pytest

from mbm_keras.metrics import sdr
from mbm_keras.metrics import separation_scores
from mbm_keras.metrics import si_sdr


def sounds(seed=0):
    return np.random.default_rng(seed).standard_normal((2, 4_000))


def test_si_sdr_by_hand():
    sound = np.array([1.0, -1.0, 1.0, -1.0])
    noise = np.array([1.0, 1.0, -1.0, -1.0])  # both have mean 0, and are orthogonal
    assert si_sdr(3 * (sound + 0.1 * noise), sound) == pytest.approx(20.0)
    assert si_sdr(sound + 0.1 * noise + 7.0, sound) == pytest.approx(20.0)
    assert si_sdr(sound, sound) == np.inf
    assert np.isnan(si_sdr(sound, 0 * sound))


def test_the_improvement_is_over_the_mixture():
    clean = sounds()
    mixture = clean.sum(axis=0)
    separated = clean + 0.01 * clean[::-1]
    found = separation_scores(separated, clean, mixture)
    assert (np.abs(found["si_sdr"] - 40) < 0.5).all()
    assert (found["sdr"] > 38).all()
    assert (np.abs(found["si_sdr_improvement"] - 40) < 1.0).all()
    nothing = separation_scores(np.stack([mixture] * 2), clean, mixture)
    assert np.allclose(nothing["sdr_improvement"], 0)
    swapped = separation_scores(separated[::-1], clean, mixture)
    assert (swapped["si_sdr_improvement"] < -10).all()


def test_a_silent_sound_has_nan():
    clean = sounds()
    clean[1] = 0
    found = separation_scores(clean + 0.1, clean, clean[0])
    assert np.isnan(found["sdr"]).tolist() == [False, True]
    assert np.isnan(found["si_sdr"]).tolist() == [False, True]


def test_sdr_equals_that_of_mir_eval():
    separation = pytest.importorskip("mir_eval.separation")  # removed in version 0.9
    clean, noise = sounds(), sounds(1)
    separated = clean + 0.3 * clean[::-1] + 0.1 * noise
    separated[0] = np.convolve(separated[0], [0.5, 0.3, -0.2])[:4_000]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        right, *_ = separation.bss_eval_sources(
            clean, separated, compute_permutation=False
        )
    np.testing.assert_allclose(sdr(separated, clean), right, atol=1e-6)


def test_shapes_that_do_not_match_are_an_error():
    with pytest.raises(ValueError, match="mixture=.3999"):
        separation_scores(sounds(), sounds(), sounds()[0, 1:])
