"""Show, Attend and Tell on JAX: it learns, and writes what TensorFlow writes."""

import keras
import numpy as np
import pytest

from mbm_keras.generation import BeamSearch
from mbm_keras.models import show_attend_tell
from tests.helpers import on_jax

SCRIPT = """
import sys
import keras
import numpy as np
from mbm_keras.generation import BeamSearch
from mbm_keras.models import show_attend_tell

tiny = show_attend_tell.PRESETS["tiny"].arguments
task = tiny["task"]
assert keras.backend.backend() == "jax"
model = keras.saving.load_model(sys.argv[1])
given = np.load(sys.argv[2])
x, y = task.feed({"image": given["image"]}, {"words": given["caption"]})
for beams, right in ((1, given["greedy"]), (3, given["beams"])):
    writer = show_attend_tell.captioner(model, task, search=BeamSearch(beams))
    words = writer.predict({"image": x["image"]}, verbose=0)["words"]
    assert (words == right).all(), (words, right)
model.compile(keras.optimizers.Adam(0.01), {"words": task.loss()})
losses = model.fit(x, y, epochs=40, verbose=0).history["loss"]
assert losses[-1] < 0.8 * losses[0], losses
hard = show_attend_tell.Attention(hard=True)
hard = show_attend_tell.build(**tiny, attention=hard, seed=0)
hard.compile(keras.optimizers.Adam(0.01), {"words": task.loss()})
losses = hard.fit(x, y, epochs=40, verbose=0).history["loss"]
assert np.isfinite(losses).all()
(decoder,) = (x for x in hard.layers if hasattr(x, "baseline"))
assert float(decoder.baseline) > 0
"""


@pytest.mark.slow
def test_learns_and_writes_on_jax(tmp_path):
    pytest.importorskip("jax")
    keras.utils.set_random_seed(0)
    tiny = show_attend_tell.PRESETS["tiny"].arguments
    model = show_attend_tell.build(**tiny)
    model.save(tmp_path / "model.keras")
    rng = np.random.default_rng(0)
    given = {
        "image": rng.integers(0, 256, (6, 16, 16, 3)).astype("uint8"),
        "caption": rng.integers(3, 12, (6, 5)).astype("int32"),
    }
    for name, beams in (("greedy", 1), ("beams", 3)):
        writer = show_attend_tell.captioner(
            model, tiny["task"], search=BeamSearch(beams)
        )
        given[name] = writer.predict({"image": given["image"]}, verbose=0)["words"]
    np.savez(tmp_path / "given.npz", **given)
    on_jax(SCRIPT, tmp_path / "model.keras", tmp_path / "given.npz")
