"""From JPEG bytes to a caption, where neither Keras nor this package is installed."""

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
from tests.helpers import tiny

WORDS = [f"word{i}" for i in range(9)]  # with padding, unknown and end the tiny 12
IMAGES = [image_bytes("JPEG"), image_bytes(seed=1), image_bytes(size=(1, 1))]


@pytest.fixture(scope="module", params=[None, BeamSearch(3)], ids=["greedy", "beams"])
def served(request, tmp_path_factory):
    """Folder of a SavedModel, and the ids that its Keras model writes for `IMAGES`."""
    folder = tmp_path_factory.mktemp("captioner")
    task = show_attend_tell.PRESETS["tiny"].arguments["task"]
    model = tiny(show_attend_tell)
    captioner = show_attend_tell.captioner(model, task, search=request.param)
    features, caption = Features(image=Pixels(16)), Caption(6, WORDS)
    save(captioner, features, folder, targets={"words": caption})
    arrays, _ = features.decode_batch({"image": tf.constant(IMAGES)})
    ids = captioner.predict({"image": arrays["image"].numpy()}, verbose=0)["words"]
    return folder, ids


@pytest.fixture(scope="module")
def loaded(served):
    return tf.saved_model.load(str(served[0]))


@pytest.mark.slow
def test_an_image_becomes_a_caption(served, loaded):
    _, ids = served
    answers = loaded.serve({"image": tf.constant(IMAGES)})
    np.testing.assert_array_equal(answers["words_ids"], ids)
    for caption, row in zip(answers["words"].numpy().tolist(), ids, strict=True):
        assert caption.decode() == " ".join(WORDS[i - 3] for i in row if i > 2)


@pytest.mark.slow
def test_a_corrupt_and_an_absent_image_are_reported(loaded):
    answers = loaded.serve({"image": tf.constant([b"not an image", b""])})
    assert answers["status_image"].numpy().tolist() == [b"corrupt", b"absent"]
    assert answers["answered"].numpy().tolist() == [False, False]


@pytest.mark.slow
def test_captions_are_the_same_without_keras(served):
    folder, ids = served
    with alone() as process:
        assert compare(folder, {"image": IMAGES}, {"words": ids}, process) == 0
