"""What reaches what in the model of documents, and its equations."""

import keras
import numpy as np
import pytest

from mbm_keras.models import document_extractor
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


@pytest.mark.slow
def test_it_learns_that_a_total_is_right_of_its_word():
    keras.utils.set_random_seed(0)
    model = tiny(document_extractor)
    x = random_inputs(model, batch=32)
    x["fields_teacher"] = np.ones((32, 6), "int32")
    x["fields_teacher"][:, 0] = 0
    is_total = x["page"][:, :, 0] == 3
    x["fields_teacher"][:, 1:][is_total] = 2
    task = document_extractor.PRESETS["tiny"].arguments["task"]
    model.compile(keras.optimizers.Adam(1e-2), task.loss(), jit_compile=False)
    losses = model.fit(x, x["fields_teacher"], epochs=12, verbose=0).history["loss"]
    assert losses[-1] < 0.3 * losses[0]
