"""Mixtures: their parts add up, their levels are as asked, nobody meets himself."""

import numpy as np
import pytest

from data_pipelines.datasets import mixtures

WAVES = np.random.default_rng(0).normal(0, 0.2, (12, 800)).astype("float32")
WAVES *= np.linspace(0.1, 1, 12, dtype="float32")[:, None]
GROUPS = np.repeat(["anna", "ben", "cleo"], 4)
SIGHT = np.arange(12, dtype="float32")[:, None] * np.ones((1, 5), "float32")


def made(**how):
    how = {"rows": 60, "groups": GROUPS, "sight": SIGHT, **how}
    return list(mixtures.mix(WAVES, **how).as_numpy_iterator())


@pytest.mark.parametrize("sounds", [1, 2, 3])
def test_the_parts_add_up_and_belong_to_their_sight(sounds):
    for inputs, targets in made(sounds=sounds):
        parts = targets["speakers"]
        assert parts.shape == (sounds, 800)
        np.testing.assert_allclose(inputs["mixture"], parts.sum(axis=0), atol=1e-6)
        assert np.abs(inputs["mixture"]).max() <= 1
        places = inputs["sight"][:, 0].astype(int)
        assert len(set(GROUPS[places])) == sounds
        for part, place in zip(parts, places, strict=True):
            alike = np.corrcoef(part, WAVES[place])[0, 1]
            assert alike == pytest.approx(1.0, abs=1e-5)


def test_levels_are_drawn_evenly():
    parts = np.stack([y["speakers"] for _, y in made(rows=400, levels=(-6, 6))])
    level = 20 * np.log10(np.sqrt((parts**2).mean(axis=-1)) / 0.1)
    assert -6.01 < level.min() < -5.5 and 5.5 < level.max() < 6.01
    assert abs(level.mean()) < 0.6
    same = np.stack([y["speakers"] for _, y in made(levels=(0, 0))])
    np.testing.assert_allclose((same**2).mean(axis=-1), 0.01, rtol=1e-3)


def test_too_loud_a_mixture_is_softer_as_a_whole():
    for inputs, targets in made(levels=(30, 30)):
        parts = targets["speakers"]
        assert np.abs(inputs["mixture"]).max() == pytest.approx(1.0, abs=1e-5)
        power = (parts**2).mean(axis=-1)
        assert power[0] == pytest.approx(power[1], rel=1e-3)


def test_seed_epoch_and_row_alone_decide():
    one, longer = made(rows=20), made(rows=40)
    for (x, _), (y, _) in zip(one, longer, strict=False):
        np.testing.assert_array_equal(x["mixture"], y["mixture"])
    for other in (made(rows=20, epoch=1), made(rows=20, seed=1)):
        same = [
            np.array_equal(x["mixture"], y["mixture"])
            for (x, _), (y, _) in zip(one, other, strict=True)
        ]
        assert not all(same)


def test_without_sight_and_groups():
    inputs, _ = made(sight=None, groups=None)[0]
    assert set(inputs) == {"mixture"}


def test_says_what_cannot_be_mixed():
    silent = WAVES.copy()
    silent[3] = 0
    silent[5, 2] = np.nan
    with pytest.raises(ValueError, match=r"Leave out the sounds \[3, 5\]"):
        mixtures.mix(silent, rows=3)
    with pytest.raises(ValueError, match="12 sounds.*'sight': 11"):
        mixtures.mix(WAVES, rows=3, sight=SIGHT[1:])
    with pytest.raises(ValueError, match="4 different groups, of which there are 3"):
        made(sounds=4)
