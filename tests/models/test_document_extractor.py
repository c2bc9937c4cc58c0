"""What reaches what in the model of documents, and its equations."""

import keras
import numpy as np
import pytest
from keras import ops

from mbm_keras.models import document_extractor
from mbm_keras.models.document_extractor import FromWindows
from mbm_keras.models.document_extractor import LayoutBias
from mbm_keras.models.document_extractor import SampleGrid
from mbm_keras.models.document_extractor import ToWindows
from mbm_keras.tasks import Classification
from tests.helpers import numpy
from tests.helpers import random_inputs
from tests.helpers import shared_tiny
from tests.helpers import tiny


def page(boxes, length=0):
    """A page of words with these boxes, and padding up to a length."""
    words = np.zeros((1, max(length, len(boxes)), 9), "int32")
    words[0, : len(boxes), 0] = 2
    words[0, : len(boxes), 1:5] = boxes
    return words


def answers(model, **inputs):
    return numpy(model(inputs))["fields"]


def test_buckets_are_exact_near_by_and_logarithmic_far_away():
    found = numpy(document_extractor.bucket(ops.arange(-2_000, 2_001), 1_000))
    assert found[2_000] == 0 and found[1_999] == 1 and found[2_001] == 33
    assert found.max() == 63 and (np.diff(found[2_001:]) >= 0).all()
    assert len(set(found[2_001:2_016])) == 15  # 1 to 15
    assert found[0] == found[1_000] == 31


@pytest.mark.parametrize("words", [1, 3, 4, 5, 6, 9])
def test_no_word_is_lost_between_windows(words):
    x = np.random.default_rng(0).standard_normal((2, words, 3)).astype("float32")
    windows = ToWindows(4)(x)
    assert windows.shape[1] <= 4
    mask = np.ones((2, words), bool)
    np.testing.assert_allclose(FromWindows(4)([windows, mask]), x, atol=1e-6)


def test_a_word_at_the_end_of_a_window_counts_less_than_in_its_middle():
    windows = np.stack([np.zeros((4, 1)), np.ones((4, 1))]).astype("float32")
    found = numpy(FromWindows(4)([windows, np.ones((1, 6), bool)]))[0, :, 0]
    np.testing.assert_allclose(found, [0, 0, 1 / 3, 2 / 3, 1, 1], atol=1e-6)


def test_a_picture_is_read_at_the_center_of_a_box():
    grid = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
    boxes = [(0, 0, 250, 250), (750, 500, 1_000, 750), (250, 0, 250, 250)]
    found = numpy(SampleGrid()([grid, page(boxes)]))[0, :, 0]
    np.testing.assert_allclose(found, [0, 11, 0.5], atol=1e-5)


def test_scores_of_attention_depend_on_distances_alone_and_hide_padding():
    layer = LayoutBias(2)
    boxes = np.array([(100, 100, 200, 120), (300, 400, 350, 420)])
    before, moved = (numpy(layer(page(boxes + k, 3))) for k in (0, 50))
    np.testing.assert_array_equal(before[..., :2, :], moved[..., :2, :])
    assert (before[..., 2] < -1e3).all() and (abs(before[..., :2]) < 1).all()
    apart = boxes + np.array([[0] * 4, [200, 0, 200, 0]])
    assert abs(numpy(layer(page(apart, 3))) - before)[..., 0, 1].max() > 1e-3


def test_the_answer_depends_on_words_boxes_and_picture():
    model = shared_tiny(document_extractor)
    x = random_inputs(model)
    before = answers(model, **x)
    for name, part in (("page", np.s_[:, :, 0]), ("page", np.s_[:, :, 2])):
        other = x[name].copy()
        other[part] += 5
        assert abs(answers(model, **{**x, name: other}) - before).max() > 1e-6
    other = x["scan"][:, ::-1].copy()
    assert abs(answers(model, **{**x, "scan": other}) - before).max() > 1e-6


def test_without_layout_boxes_change_nothing():
    (spec, _) = document_extractor.PRESETS["tiny"].arguments["inputs"]
    model = tiny(document_extractor, inputs=[spec], layout=False)
    x = random_inputs(model)
    other = x["page"].copy()
    other[:, :, 1:5] = 700
    np.testing.assert_array_equal(
        answers(model, **x), answers(model, **{**x, "page": other})
    )


def test_padding_after_a_page_changes_no_answer():
    model = document_extractor.for_inference(
        shared_tiny(document_extractor),
        document_extractor.PRESETS["tiny"].arguments["task"],
    )
    boxes = np.random.default_rng(0).integers(0, 1_000, (7, 4))
    scan = np.ones((1, 16, 16, 3), "float32")
    short = answers(model, page=page(boxes), scan=scan)
    long = answers(model, page=page(boxes, 12), scan=scan)
    np.testing.assert_allclose(long[:, : short.shape[1]], short, atol=1e-5)


def test_another_task_or_an_odd_window_is_refused():
    arguments = document_extractor.PRESETS["tiny"].arguments
    with pytest.raises(ValueError, match="a task of tags"):
        document_extractor.build(**{**arguments, "task": Classification(3)})
    with pytest.raises(ValueError, match="even window.*window=5"):
        document_extractor.build(**{**arguments, "window": 5})


def test_it_learns_that_a_total_is_right_of_its_word():
    keras.utils.set_random_seed(0)
    model = tiny(document_extractor)
    x = random_inputs(model, batch=32)
    x["fields_teacher"] = np.ones((32, 6), "int32")
    x["fields_teacher"][:, 0] = 0
    is_total = x["page"][:, :, 0] == 3
    x["fields_teacher"][:, 1:][is_total] = 2
    task = document_extractor.PRESETS["tiny"].arguments["task"]
    model.compile(keras.optimizers.Adam(1e-2), task.loss(), run_eagerly=False)
    losses = model.fit(x, x["fields_teacher"], epochs=12, verbose=0).history["loss"]
    assert losses[-1] < 0.3 * losses[0]
