"""Placeholders: what stands where an embedding is absent."""

import keras
import numpy as np
import pytest

from mbm_keras.fusion import SumFusion
from mbm_keras.layers import LearnedPlaceholder
from mbm_keras.layers import MeanPlaceholder
from mbm_keras.models import late_fusion
from mbm_keras.models.late_fusion import Absence
from tests.helpers import assert_same
from tests.helpers import every_weight_gets_a_gradient
from tests.helpers import numpy
from tests.helpers import random_inputs

X = np.random.default_rng(0).standard_normal((6, 4)).astype("float32")
HERE = np.array([True, False, True, True, False, True])
both = pytest.mark.parametrize("kind", [LearnedPlaceholder, MeanPlaceholder])


@both
def test_the_content_of_what_is_absent_does_not_matter(kind):
    layer = kind()
    out = numpy(layer(X, HERE))
    np.testing.assert_array_equal(out[HERE], X[HERE])
    np.testing.assert_array_equal(out[1], out[4])
    other = np.where(HERE[:, None], X, np.nan)
    np.testing.assert_array_equal(
        numpy(layer(other, HERE, training=True))[HERE], X[HERE]
    )
    assert np.isfinite(numpy(layer(other, HERE))).all()


def test_the_mean_is_that_of_the_present_rows():
    layer = MeanPlaceholder()
    seen = []
    rng = np.random.default_rng(1)
    for _ in range(20):
        x = rng.normal(3, 1, (8, 4)).astype("float32")
        here = rng.random(8) < 0.7
        here[0] = True
        layer(np.where(here[:, None], x, 99), here, training=True)
        seen.append(x[here].mean(axis=0))
    layer(X * 99, np.zeros(6, bool), training=True)  # of nobody there is no mean
    assert_same(layer.mean, np.mean(seen, axis=0))
    assert_same(layer(X, HERE)[1], np.mean(seen, axis=0))


def test_after_many_batches_it_follows_at_its_momentum():
    layer = MeanPlaceholder(momentum=0.5)
    for value in (0.0, 0.0, 0.0, 8.0):
        layer(np.full((2, 4), value, "float32"), np.ones(2, bool), training=True)
    assert_same(layer.mean, np.full(4, 4.0))


@both
def test_a_model_with_it_learns_and_comes_back_from_disk(kind, tmp_path):
    tiny = late_fusion.PRESETS["tiny"].arguments
    model = late_fusion.build(
        **tiny, absence=Absence(placeholder=kind), fusion=SumFusion(8)
    )
    x = random_inputs(model, batch=16)
    x["present"] = np.random.default_rng(0).random((16, 4)) < 0.5
    model.save(tmp_path / "model.keras")
    assert_same(keras.models.load_model(tmp_path / "model.keras")(x), model(x))
    still = every_weight_gets_a_gradient(model, x)
    assert [path for path in still if "placeholder" in path] == []


@both
def test_a_sequence_is_refused(kind):
    with pytest.raises(ValueError, match="pool a sequence first"):
        kind()(np.zeros((2, 3, 4)), np.ones(2, bool))


def test_without_presence_nothing_is_absent():
    tiny = {**late_fusion.PRESETS["tiny"].arguments, "presence": False}
    with pytest.raises(ValueError, match="no input is ever absent"):
        late_fusion.build(**tiny, absence=Absence(placeholder=MeanPlaceholder))
    with pytest.raises(ValueError, match="no input is ever absent"):
        late_fusion.build(**tiny, absence=Absence(dropout=0.3))
