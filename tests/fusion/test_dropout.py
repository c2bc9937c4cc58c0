"""Dropout inside of fusions: in training only."""

import inspect

import numpy as np
import pytest

from mbm_keras.fusion import FUSIONS
from tests.fusion.inputs import OF_SEQUENCES
from tests.fusion.inputs import embeddings
from tests.fusion.inputs import new
from tests.fusion.inputs import sequences
from tests.helpers import assert_same
from tests.helpers import numpy

WITH_DROPOUT = [
    name for name in FUSIONS if "dropout" in inspect.signature(FUSIONS[name]).parameters
]


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_DROPOUT)
def test_dropout_is_in_training_only(name):
    x = sequences()[0] if name in OF_SEQUENCES else embeddings()
    plain, fusion = new(name), new(name, dropout=0.5)
    plain(x), fusion(x)
    fusion.set_weights(plain.get_weights())
    expected = numpy(plain(x))
    assert_same(fusion(x), expected)
    assert np.abs(numpy(fusion(x, training=True)) - expected).max() > 1e-3
