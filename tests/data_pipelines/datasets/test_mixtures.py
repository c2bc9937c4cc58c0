"""Mixtures: parts that add up, at given levels, of different groups."""

import numpy as np
import pytest

from data_pipelines.datasets import mixtures

WAVES = np.random.default_rng(0).normal(0, 0.2, (12, 800)).astype("float32")
WAVES *= np.linspace(0.1, 1, 12, dtype="float32")[:, None]
GROUPS = np.repeat(["anna", "ben", "cleo"], 4)
FACES = np.arange(12, dtype="float32")[:, None] * np.ones((1, 5), "float32")


def mix(**options):
    options = {"rows": 60, "groups": GROUPS, "faces": FACES, **options}
    return list(mixtures.mix(WAVES, **options).as_numpy_iterator())


@pytest.mark.parametrize("num_sounds", [1, 2, 3])
def test_the_parts_add_up_and_belong_to_their_faces(num_sounds):
    for inputs, targets in mix(num_sounds=num_sounds):
        parts = targets["speakers"]
        assert parts.shape == (num_sounds, 800)
        np.testing.assert_allclose(inputs["mixture"], parts.sum(axis=0), atol=1e-6)
        assert np.abs(inputs["mixture"]).max() <= 1
        index = inputs["faces"][:, 0].astype(int)
        assert len(set(GROUPS[index])) == num_sounds
        for part, i in zip(parts, index, strict=True):
            correlation = np.corrcoef(part, WAVES[i])[0, 1]
            assert correlation == pytest.approx(1.0, abs=1e-5)


def test_levels_are_uniform():
    parts = np.stack([y["speakers"] for _, y in mix(rows=400, levels=(-6, 6))])
    level = 20 * np.log10(np.sqrt((parts**2).mean(axis=-1)) / 0.1)
    assert -6.01 < level.min() < -5.5 and 5.5 < level.max() < 6.01
    assert abs(level.mean()) < 0.6


def test_sounds_of_one_level_have_one_power():
    parts = np.stack([y["speakers"] for _, y in mix(levels=(0, 0))])
    np.testing.assert_allclose((parts**2).mean(axis=-1), 0.01, rtol=1e-3)


def test_a_mixture_above_full_scale_is_softer_as_a_whole():
    for inputs, targets in mix(levels=(30, 30)):
        parts = targets["speakers"]
        assert np.abs(inputs["mixture"]).max() == pytest.approx(1.0, abs=1e-5)
        power = (parts**2).mean(axis=-1)
        assert power[0] == pytest.approx(power[1], rel=1e-3)


def test_a_mixture_depends_on_seed_epoch_and_row_alone():
    one, longer = mix(rows=20), mix(rows=40)
    for (x, _), (y, _) in zip(one, longer, strict=False):
        np.testing.assert_array_equal(x["mixture"], y["mixture"])
    for other in (mix(rows=20, epoch=1), mix(rows=20, seed=1)):
        same = [
            np.array_equal(x["mixture"], y["mixture"])
            for (x, _), (y, _) in zip(one, other, strict=True)
        ]
        assert not all(same)


def test_without_faces_and_groups():
    inputs, _ = mix(faces=None, groups=None)[0]
    assert set(inputs) == {"mixture"}


def test_silent_sounds_are_refused():
    silent = WAVES.copy()
    silent[3] = 0
    silent[5, 2] = np.nan
    with pytest.raises(ValueError, match=r"waves \[3, 5\]"):
        mixtures.mix(silent, rows=3)


def test_another_number_of_faces_is_refused():
    with pytest.raises(ValueError, match="12 sounds.*'faces': 11"):
        mixtures.mix(WAVES, rows=3, faces=FACES[1:])


def test_too_few_groups_are_refused():
    with pytest.raises(ValueError, match="num_sounds=4, 3 groups"):
        mix(num_sounds=4)
