"""tensor_fusion_network: the published counts, and sizes that are absurd."""

import numpy as np
import pytest

from mbm_keras.inputs import InputSpec
from mbm_keras.models import tensor_fusion_network
from tests.helpers import numpy


def counted(model):
    return sum(np.prod(w.shape) for w in model.trainable_weights)


def test_has_as_many_parameters_as_published():
    model = tensor_fusion_network.build(**tensor_fusion_network.PRESETS["mosi"])
    # PyTorch's LSTM has a second bias, 4 x 128 numbers that add nothing.
    assert counted(model) == 18_243_411 - 4 * 128
    assert counted(model.get_layer("fusion")) == 17_981_696
    rng = np.random.default_rng(0)
    x = {
        "audio": rng.standard_normal((2, 74)),
        "video": rng.standard_normal((2, 47)),
        "text": rng.standard_normal((2, 9, 300)),
    }
    x = {name: a.astype("float32") for name, a in x.items()}
    model.compile("adam", loss="mae", jit_compile=False)
    before = float(model.train_on_batch(x, {"sentiment": np.ones((2, 1))}))
    assert np.isfinite(before)
    # Words of zeros are padding.
    padded = {**x, "text": np.pad(x["text"], ((0, 0), (0, 4), (0, 0)))}
    left, right = (numpy(model(v, training=False))["sentiment"] for v in (x, padded))
    np.testing.assert_allclose(left, right, atol=1e-5)


def test_the_smaller_text_of_the_authors_code():
    preset = {**tensor_fusion_network.PRESETS["mosi"], "units": 32}
    preset["widths"] = {"audio": 32, "video": 32, "text": 64}
    model = tensor_fusion_network.build(**preset)
    assert counted(model) == 2_503_059 - 4 * 128


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"widths": 512}, r"would have [\d,]+ weights"),
        ({"features": [InputSpec("a", "smell")]}, "modality='smell'"),
    ],
)
def test_rejects(wrong, said):
    tiny = tensor_fusion_network.PRESETS["tiny"]
    with pytest.raises(ValueError, match=said):
        tensor_fusion_network.build(**{**tiny, **wrong})
