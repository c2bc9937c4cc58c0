"""Windows: each sample at its time, whatever the rates."""

import numpy as np
import pytest

from data_pipelines import windows
from data_pipelines.recordings.windows import Regular
from data_pipelines.recordings.windows import Timed


@pytest.mark.parametrize("seed", range(40))
def test_every_sample_is_in_its_window_to_half_a_period(seed):
    rng = np.random.default_rng(seed)
    streams = {
        name: Regular(
            length=int(rng.integers(1, 3_000)),
            rate=float(rng.choice([30_000 / 1_001, 25, 100, 12.5, 16_000 / 160, 3.7])),
            offset=float(rng.uniform(-2, 2)),
        )
        for name in ("video", "sound", "lidar")
    }
    seconds = float(rng.uniform(0.3, 4))
    hop = seconds * float(rng.choice([1.0, 0.5, 0.37]))
    found = windows.make_windows(streams, seconds, hop)
    for name, stream in streams.items():
        rows, mask = found.index[name], found.mask[name]
        period = 1 / stream.rate
        assert abs(rows.shape[1] - seconds * stream.rate) <= 0.5 or rows.shape[1] == 1
        time = found.starts[:, None] + np.arange(rows.shape[1]) * period
        off = np.abs(stream.offset + rows * period - time)[mask]
        assert off.max(initial=0) <= period / 2 + 1e-9
        # Steps are masked before the first sample and after the last.
        ends = (time < stream.offset) | (time > stream.span()[1] - period)
        inside = (time > stream.offset + period / 2) & (
            time < stream.span()[1] - 1.5 * period
        )
        assert (mask | ends).all() and mask[inside].all()
        if rows.shape[1] * period >= hop:
            assert set(rows[mask]) == set(range(stream.length)), "a sample in no window"


@pytest.mark.parametrize("seed", range(20))
def test_timed_samples_are_in_the_windows_of_their_time(seed):
    rng = np.random.default_rng(seed)
    times = np.sort(rng.uniform(0, 10, int(rng.integers(1, 80))))
    seconds = float(rng.uniform(0.2, 3))
    found = windows.make_windows(
        {"radar": Timed(times), "video": Regular(100, 10)}, seconds
    )
    rows, mask = found.index["radar"], found.mask["radar"]
    inside = times[rows] - found.starts[:, None]
    assert ((inside >= 0) & (inside < seconds))[mask].all()
    assert sorted(rows[mask]) == list(range(len(times)))
    assert found.lost == {"radar": 0, "video": 0}


def test_rounding_errors_do_not_add_up_over_hours():
    # Ten hours of 29.97 frames per second and of 48 kHz.
    video, sound = Regular(1_078_921, 30_000 / 1_001), Regular(1_728_000_000, 48_000)
    found = windows.make_windows({"video": video, "sound": sound}, 1.0, 3_600.0)
    for stream, rows in ((video, found.index["video"]), (sound, found.index["sound"])):
        off = rows[:-1, 0] / stream.rate - found.starts[:-1]
        assert np.abs(off).max() <= 0.5 / stream.rate + 1e-6


def test_a_window_at_the_edge_is_padded_and_masked():
    streams = {"video": Regular(4, 2), "sound": Regular(6, 4, offset=1.0)}
    found = windows.make_windows(streams, 1.0)
    assert found.starts.tolist() == [0, 1, 2]
    assert found.mask["video"].tolist() == [[True] * 2, [True] * 2, [False] * 2]
    assert found.mask["sound"].sum(axis=1).tolist() == [0, 4, 2]
    values = found.gather("sound", np.arange(1, 7)[:, None])
    assert values[:, :, 0].tolist() == [[0] * 4, [1, 2, 3, 4], [5, 6, 0, 0]]


def test_a_word_is_in_the_window_with_most_of_it():
    words = windows.spans([0.1, 0.8, 2.2], [0.5, 1.6, 2.4])
    found = windows.make_windows({"words": words, "video": Regular(30, 10)}, 1.0)
    words_of = [
        rows[mask].tolist()
        for rows, mask in zip(found.index["words"], found.mask["words"], strict=True)
    ]
    assert words_of == [[0], [1], [2]]


def test_samples_that_do_not_fit_are_counted():
    found = windows.make_windows({"words": Timed([0.1, 0.2, 0.3, 1.5], steps=2)}, 1.0)
    assert found.mask["words"].tolist() == [[True, True], [True, False]]
    assert found.lost == {"words": 1}


def test_an_empty_stream_is_masked_everywhere():
    found = windows.make_windows({"words": Timed([]), "video": Regular(10, 5)}, 1.0)
    assert not found.mask["words"].any()
    assert found.gather("words", np.zeros((0, 3))).shape == (2, 1, 3)


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: windows.make_windows({"words": Timed([])}, 1.0),
            "a sample in one stream or more",
        ),
        (lambda: windows.make_windows({"video": Regular(3, 1)}, 0), "seconds > 0"),
        (lambda: Timed([1.0, 0.5]), "in order"),
        (lambda: Timed([1.0, np.nan]), "finite"),
        (lambda: windows.spans([0, 2], [1, 1]), r"ends\[1\]=1"),
    ],
)
def test_rejects(call, message):
    with pytest.raises(ValueError, match=message):
        call()
