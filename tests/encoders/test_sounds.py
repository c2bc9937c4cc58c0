"""Encoders of sounds and images whose sizes cannot be used, or that fit another way."""

import numpy as np
import pytest

from mbm_keras.encoders import ast
from mbm_keras.encoders import clap_audio
from mbm_keras.encoders import swin
from mbm_keras.encoders import wav2vec2
from mbm_keras.encoders import whisper
from mbm_keras.encoders.clap_audio import cubic_shares
from mbm_keras.weights import load
from mbm_keras.weights.resize import resize
from tests.encoders.checkpoints import DATA
from tests.encoders.checkpoints import expected
from tests.helpers import assert_same


def tiny(module, **changes):
    return module.build(**{**module.PRESETS["tiny"].arguments, **changes})


@pytest.mark.parametrize(
    "module, changes, received",
    [
        (ast, {"frames": 3}, "frames=3"),
        (clap_audio, {"frames": 33}, "frames=33"),
        (clap_audio, {"num_mel_bins": 2, "frames": 9}, "rows=2, chunks=8"),
        (clap_audio, {"num_mel_bins": 5}, "num_mel_bins=5"),
        (swin, {"image_size": 10}, r"\(3, 3\) in stage 1"),
        (wav2vec2, {"kernels": (4,)}, r"kernels=\(4,\)"),
    ],
)
def test_sizes_that_do_not_fit_are_an_error(module, changes, received):
    with pytest.raises(ValueError, match=received):
        tiny(module, **changes)


@pytest.mark.parametrize("entry", ["conv_pos_batch_norm", "add_adapter"])
def test_parts_of_wav2vec2_that_are_not_built_are_an_error(entry):
    with pytest.raises(ValueError, match=entry):
        wav2vec2.from_config({entry: True})


def test_patches_of_clap_are_square():
    with pytest.raises(ValueError, match=r"patch_stride=\[4, 2\]"):
        clap_audio.from_config({"audio_config": {"patch_stride": [4, 2]}})


@pytest.mark.filterwarnings("ignore:.*are not used:UserWarning")
def test_a_shorter_window_of_whisper_is_heard():
    inputs, _ = expected("whisper")
    short = inputs["spectrogram"][:, :13]
    y = load(DATA / "whisper")({"spectrogram": short})
    assert y["sequence"].shape == (2, 7, 16)


def test_a_window_of_whisper_has_no_more_frames_than_positions():
    encoder = tiny(whisper)
    with pytest.raises(Exception):  # noqa: B017, PT011 - the backend's own error
        encoder({"spectrogram": np.zeros((1, 34, 4), "float32")})


def test_positions_of_other_frames_are_interpolated():
    def positions(**changes):
        encoder = load(DATA / "ast", changes=changes)
        layer = encoder.get_layer("embeddings.position_embeddings")
        return np.asarray(layer.table), layer.grid

    old, old_grid = positions()
    new, new_grid = positions(frames=80)
    assert new_grid[0] == old_grid[0] and new_grid[1] > old_grid[1]
    assert_same(new[:2], old[:2])  # those of the two tokens
    assert_same(
        new[2:], resize(old[2:].reshape(*old_grid, 16), new_grid).reshape(-1, 16)
    )


def test_shares_of_a_stretch_are_those_of_each_step():
    shares = cubic_shares(5, 9)
    assert_same(shares.sum(axis=1), np.ones(9))
    assert_same(shares[::2], np.eye(5))  # every second step is one of the old ones
    assert_same(cubic_shares(4, 4), np.eye(4))
