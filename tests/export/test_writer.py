"""From JPEG bytes to a sentence, where neither Keras nor this package is installed."""

import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.export import alone
from mbm_keras.export import compare
from mbm_keras.export import save
from mbm_keras.generation import BeamSearch
from mbm_keras.models import show_attend_tell
from mbm_keras.preprocessing import Caption
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import Pixels
from tests.helpers import image_bytes

WORDS = [f"word{i}" for i in range(9)]  # with padding, unknown and end the tiny 12


@pytest.mark.parametrize("search", [None, BeamSearch(3)])
def test_an_image_becomes_a_sentence(search, tmp_path):
    tiny = show_attend_tell.PRESETS["tiny"].arguments
    model, task = show_attend_tell.build(**tiny), tiny["task"]
    captioner = show_attend_tell.captioner(model, task, search=search)
    features, caption = Features(image=Pixels(16)), Caption(6, WORDS)
    save(captioner, features, tmp_path / "served", targets={"words": caption})
    served = tf.saved_model.load(str(tmp_path / "served"))
    pictures = [image_bytes("JPEG"), image_bytes(seed=1), image_bytes(size=(1, 1))]
    arrays, _ = features.decode_batch({"image": tf.constant(pictures)})
    ids = captioner.predict({"image": arrays["image"].numpy()}, verbose=0)["words"]
    answers = served.serve({"image": tf.constant(pictures)})
    np.testing.assert_array_equal(answers["words_ids"], ids)
    for sentence, row in zip(answers["words"].numpy().tolist(), ids, strict=True):
        words = [WORDS[i - 3] for i in row if i > 2]
        assert sentence.decode() == " ".join(words)
    broken = served.serve({"image": tf.constant([b"no picture", b""])})
    assert broken["status_image"].numpy().tolist() == [b"corrupt", b"absent"]
    assert broken["answered"].numpy().tolist() == [False, False]
    with alone() as process:
        difference = compare(
            tmp_path / "served", {"image": pictures}, {"words": ids}, process
        )
    assert difference == 0
