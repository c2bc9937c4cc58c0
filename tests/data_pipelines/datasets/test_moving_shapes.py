"""Moving shapes: the click is where the files say, and neither side has the answer."""

import io
import itertools
import types

import numpy as np
import polars as pl
import pytest

from data_pipelines.datasets import moving_shapes
from data_pipelines.formats import video

ROWS = dict(rows=60, seed=1, image_size=16)


@pytest.fixture(scope="module")
def examples():
    return list(moving_shapes.examples(**ROWS))


def moment_of(samples):
    return np.argmax(np.abs(samples)) / moving_shapes.SAMPLE_RATE


def test_the_same_seed_gives_the_same_clips(examples):
    again = next(moving_shapes.examples(**ROWS))
    assert again["clip"] == examples[0]["clip"]
    other = next(moving_shapes.examples(**{**ROWS, "seed": 2}))
    assert other["clip"] != examples[0]["clip"]


def test_the_click_is_at_the_moment_of_the_answer(examples):
    for example in examples:
        index = moving_shapes.CLASSES.index(example["answer"])
        assert abs(moment_of(example["sound"]) - example["moments"][index]) < 0.01


def test_a_late_sound_is_the_same_clip_with_the_click_moved(examples):
    late = list(itertools.islice(moving_shapes.examples(**ROWS, late=0.25), 5))
    for one, other in zip(examples, late, strict=False):
        np.testing.assert_array_equal(one["frames"], other["frames"])
        assert one["answer"] == other["answer"]
        moved = moment_of(other["sound"]) - moment_of(one["sound"])
        assert moved == pytest.approx(0.25, abs=0.002)


def test_a_ball_is_lowest_at_its_moment(examples):
    for example in examples[:20]:
        frames = example["frames"].astype(int)
        for color, moment in enumerate(example["moments"][:2]):
            others = np.delete(frames, 2 * color, axis=3).max(axis=3)
            ball = frames[..., 2 * color] - others > 80
            rows = np.where(ball, np.arange(16)[:, None], -1).max(axis=(1, 2))
            lowest = np.flatnonzero(rows == rows.max()) / moving_shapes.FRAME_RATE
            assert np.abs(lowest - moment).min() <= 1.5 / moving_shapes.FRAME_RATE


def test_the_moments_are_apart_and_drawn_alike():
    rng = np.random.default_rng(0)
    moments = np.array([moving_shapes._draw_moments(rng) for _ in range(3_000)])
    ordered = np.diff(np.sort(moments, axis=1), axis=1)
    assert ordered.min() >= 0.4 and moments.min() >= 0.25 and moments.max() <= 1.75
    for statistic in (np.mean, np.std):
        assert np.ptp(statistic(moments, axis=0)) < 0.03


def test_the_clip_holds_the_frames_and_the_sound(examples):
    example = examples[0]
    spec = types.SimpleNamespace(
        num_frames=32, size=16, seconds=2.0, max_pixels=10**6, max_seconds=9.0
    )
    frames = np.load(io.BytesIO(video.frames(example["clip"], spec)))
    assert np.abs(frames.astype(int) - example["frames"]).mean() < 6
    info = video.probe(example["clip"])
    assert info == {"seconds": 2.0, "side": 16.0, "rate": 8_000}


def test_writes_files_and_a_table_with_splits(tmp_path):
    path = moving_shapes.write(tmp_path, rows=20, image_size=16)
    frame = pl.read_csv(path)
    assert frame.columns == ["clip", "answer", "split"] and len(frame) == 20
    assert dict(frame["split"].value_counts().rows()) == dict(train=15, valid=2, test=3)
    assert all((tmp_path / name).is_file() for name in frame["clip"])


def test_loads_raw_rows():
    splits = moving_shapes.load(rows=20, image_size=16)
    x, y = next(iter(splits["test"]))
    assert x["clip"].numpy()[:4] == b"RIFF" and y["answer"].numpy().decode()


@pytest.mark.parametrize("size", [14, 17])
def test_rejects_sizes_that_cannot_be_encoded(size):
    with pytest.raises(ValueError, match=f"an even image_size.*image_size={size}"):
        next(moving_shapes.examples(image_size=size))
