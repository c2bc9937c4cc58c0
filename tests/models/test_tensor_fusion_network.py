"""tensor_fusion_network: the counts of its parts, and padding."""

import keras
import numpy as np

from mbm_keras.models import tensor_fusion_network
from tests.helpers import numpy

MOSI = tensor_fusion_network.PRESETS["mosi"].arguments


def counted(model):
    return sum(np.prod(w.shape) for w in model.trainable_weights)


def test_trains_at_its_published_size_and_ignores_padding():
    model = tensor_fusion_network.build(**MOSI)
    assert counted(model.get_layer("fusion")) == 17_981_696
    rng = np.random.default_rng(0)
    x = {
        "audio": rng.standard_normal((2, 74)),
        "video": rng.standard_normal((2, 47)),
        "text": rng.standard_normal((2, 9, 300)),
    }
    x = {name: a.astype("float32") for name, a in x.items()}
    model.compile("adam", loss="mae", run_eagerly=True)
    assert np.isfinite(model.train_on_batch(x, {"sentiment": np.ones((2, 1))}))
    # Words of zeros are padding.
    padded = {**x, "text": np.pad(x["text"], ((0, 0), (0, 4), (0, 0)))}
    left, right = (numpy(model(v, training=False))["sentiment"] for v in (x, padded))
    np.testing.assert_allclose(left, right, atol=1e-5)


def test_the_smaller_text_of_the_authors_code():
    changes = {"units": 32, "widths": {"audio": 32, "video": 32, "text": 64}}
    with keras.StatelessScope(initialize_variables=False):
        model = tensor_fusion_network.build(**{**MOSI, **changes})
    keras.utils.clear_session()
    assert counted(model) == 2_503_059 - 4 * 128
