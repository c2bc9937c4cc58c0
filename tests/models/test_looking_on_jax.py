"""Looking to Listen on JAX: it learns, and its sounds are those of TensorFlow."""

import keras
import numpy as np
import pytest

from mbm_keras.models import looking_to_listen
from tests.helpers import on_jax

SCRIPT = """
import dataclasses
import sys
import keras
import numpy as np
from mbm_keras.models import looking_to_listen

task = looking_to_listen.PRESETS["tiny"].arguments["task"]
assert keras.backend.backend() == "jax"
model = keras.saving.load_model(sys.argv[1])
given = dict(np.load(sys.argv[2]))
right, parts = given.pop("right"), given.pop("parts")
waves = looking_to_listen.separator(model, task).predict(given, verbose=0)["speakers"]
# One window only covers the first and the last samples, at its edge.
np.testing.assert_allclose(waves[..., 32:-32], right[..., 32:-32], atol=1e-5)
for any_order in (False, True):
    loss = dataclasses.replace(task, any_order=any_order).loss()
    model.compile(keras.optimizers.Adam(0.01), {"speakers": loss})
    losses = model.fit(given, {"speakers": parts}, epochs=10, verbose=0).history["loss"]
    assert losses[-1] < 0.97 * losses[0], losses
"""


@pytest.mark.slow
def test_separates_and_learns_on_jax(tmp_path):
    pytest.importorskip("jax")
    keras.utils.set_random_seed(0)
    tiny = looking_to_listen.PRESETS["tiny"].arguments
    model = looking_to_listen.build(**tiny)
    rng = np.random.default_rng(0)
    parts = rng.uniform(-0.3, 0.3, (4, 2, 640)).astype("float32")
    given = {
        "mixture": parts.sum(axis=1),
        "faces": rng.standard_normal((4, 2, 5, 6)).astype("float32"),
    }
    # Masks that are not zero.
    *_, last = (x for x in model.layers if isinstance(x, keras.layers.Dense))
    last.bias.assign(np.ones(last.bias.shape))
    model.save(tmp_path / "model.keras")
    separator = looking_to_listen.separator(model, tiny["task"])
    right = separator.predict(given, verbose=0)["speakers"]
    assert np.abs(right).max() > 0.1
    np.savez(tmp_path / "given.npz", **given, right=right, parts=parts)
    on_jax(SCRIPT, tmp_path / "model.keras", tmp_path / "given.npz")
