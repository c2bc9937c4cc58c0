"""late_fusion: its answer is that of its layers, one after the other."""

import numpy as np

from mbm_keras.fusion import ConcatenationFusion
from mbm_keras.inputs import PRESENT
from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import placeholder_name
from mbm_keras.inputs import tower_name
from mbm_keras.inputs import unimodal_output_name
from mbm_keras.layers import LearnedPlaceholder
from mbm_keras.models import late_fusion
from mbm_keras.models.late_fusion import Absence
from mbm_keras.models.late_fusion import Balance
from mbm_keras.tasks import Classification
from tests.helpers import assert_same
from tests.toys import KEYS
from tests.toys import THREE
from tests.toys import small_batch
from tests.toys import small_late_fusion


def model_and_batch(**arguments):
    """A model, inputs of which some are absent, and the outputs of the towers."""
    model = small_late_fusion(**arguments)
    x, _ = small_batch(model)
    x[PRESENT] = np.random.default_rng(1).random((12, 3)) < 0.6
    x[PRESENT][:, 2] = True
    embedded = [
        model.get_layer(tower_name(key))(
            np.where(x[PRESENT][:, i : i + 1], x[key], np.float32(0))
        )
        for i, key in enumerate(KEYS)
    ]
    return model, x, embedded


def answer(model, embedded, present):
    """What fusion, hidden layer and head make of embeddings."""
    (fusion,) = (x for x in model.layers if isinstance(x, ConcatenationFusion))
    hidden = model.get_layer("hidden")(fusion(embedded, present=present))
    return model.get_layer(THREE.name)(hidden)


def test_absent_inputs_are_left_out_of_the_fusion():
    model, x, embedded = model_and_batch()
    assert_same(model(x)[THREE.name], answer(model, embedded, x[PRESENT]))


def test_placeholders_take_the_place_of_absent_embeddings():
    absence = Absence(placeholder=LearnedPlaceholder)
    model, x, embedded = model_and_batch(absence=absence)
    replaced = [
        model.get_layer(placeholder_name(key))(y, x[PRESENT][:, i])
        for i, (key, y) in enumerate(zip(KEYS, embedded, strict=True))
    ]
    assert_same(model(x)[THREE.name], answer(model, replaced, None))


def test_a_head_of_one_input_reads_its_embedding_alone():
    model, x, embedded = model_and_batch(balance=Balance(unimodal_heads=True))
    out = model(x)
    for key, y in zip(KEYS, embedded, strict=True):
        name = unimodal_output_name(key, THREE.name)
        assert_same(out[name], model.get_layer(name)(y))


def test_outputs_may_have_names_without_a_latin_letter():
    specs = [InputSpec("评论", "vector", {"size": 3}, key="column")]
    task = Classification(2, "标签")
    for balance in (Balance(unimodal_heads=True), Balance(calibrate=True)):
        model = late_fusion.build(inputs=specs, task=task, width=4, balance=balance)
        assert "标签" in model.output
