"""Any names of columns: the right towers are frozen, the right rows are weighted."""

import numpy as np
import pytest

from mbm_keras.evaluation import subsets
from mbm_keras.inputs import PRESENT
from mbm_keras.inputs import index_name
from mbm_keras.inputs import keys
from mbm_keras.inputs import tower_name
from mbm_keras.training import fit_stages
from mbm_keras.training import for_unimodal_heads
from mbm_keras.training import standard_stages
from mbm_keras.training.frozen_outputs import FrozenTowerOutputs
from mbm_keras.training.frozen_outputs import can_precompute
from mbm_keras.training.stages import Stage
from mbm_keras.training.unimodal import select_unimodal
from mbm_keras.training.unimodal import unimodal_model
from tests.toys import TASK
from tests.toys import are_same
from tests.toys import toy_data
from tests.toys import toy_model
from tests.toys import weights_of

# Names that end like names that the library makes, and those they would be made from.
COLUMNS = ["birth_place", "birth_index", "text_tower", "present_input", "a_index"]
OTHERS = ["birth", "text", "present", "a"]
KEYS = list(keys([*COLUMNS, *OTHERS]).values())


@pytest.fixture(scope="module")
def model():
    return toy_model(KEYS)


@pytest.fixture(scope="module")
def batch():
    return next(iter(toy_data(KEYS)))


@pytest.mark.parametrize("key", KEYS)
def test_rows_are_weighted_by_the_column_of_their_own_input(model, batch, key):
    inputs, _, weights = select_unimodal(model, key, TASK)(*batch)
    assert list(inputs) == [key]
    column = batch[0][PRESENT][:, KEYS.index(key)]
    np.testing.assert_array_equal(weights[TASK.name], column)


@pytest.mark.parametrize("key", KEYS)
def test_the_model_of_one_input_has_its_tower(model, key):
    part = unimodal_model(model, key, TASK)
    assert [x.name for x in part.inputs] == [key]
    assert part.get_layer(tower_name(key)) is model.get_layer(tower_name(key))


def test_the_tower_of_unique_values_takes_their_index():
    model = toy_model(KEYS, unique=KEYS)
    part = unimodal_model(model, KEYS[0], TASK)
    assert [x.name for x in part.inputs] == [KEYS[0], index_name(KEYS[0])]


@pytest.mark.parametrize("name", ["birth_place_tower", "birth_place", "labels"])
def test_a_target_may_be_called_like_a_layer(name):
    task = type(TASK)(2, name=name)
    part = unimodal_model(toy_model(KEYS), "birth_place", task)
    assert list(part.output) == [name]


def test_columns_of_presence_that_are_not_those_of_the_model_are_an_error(model, batch):
    inputs, targets = batch
    with pytest.raises(ValueError, match="Expected `present` with a column for each"):
        select_unimodal(model, KEYS[0], TASK)(
            {**inputs, PRESENT: inputs[PRESENT][:, 1:]}, targets
        )


def test_the_stages_freeze_the_tower_of_every_input(model):
    *unimodal, fusion, _ = standard_stages(model, unimodal=1, fusion=1, finetune=1)
    assert [stage.unimodal for stage in unimodal] == KEYS
    assert list(fusion.frozen) == [tower_name(key) for key in KEYS]


def test_the_outputs_of_the_frozen_towers_take_the_place_of_their_inputs(model, batch):
    frozen = tuple(tower_name(key) for key in KEYS[:3])
    assert can_precompute(model, frozen)
    inputs, _ = FrozenTowerOutputs(model, frozen, [batch])[0]
    sizes = {key: inputs[key].shape[1] for key in KEYS}  # 3 of a value, 4 of a tower
    assert sizes == {key: 4 if key in KEYS[:3] else 3 for key in KEYS}


def test_targets_of_heads_are_weighted_by_the_column_of_their_input(model):
    inputs, _, weights = next(
        iter(for_unimodal_heads(model, toy_data(KEYS), task=TASK))
    )
    for i, key in enumerate(KEYS):
        np.testing.assert_array_equal(
            weights[f"{key}_{TASK.name}"], inputs[PRESENT][:, i]
        )
    assert np.all(weights[TASK.name])


def test_subsets_are_those_of_the_inputs(model):
    table = subsets(model, toy_data(KEYS), task=TASK)
    assert table[0]["inputs"] == KEYS
    assert [row["inputs"] for row in table[-len(KEYS) :]] == [[key] for key in KEYS]


def test_stages_train_the_towers_they_name_and_no_other(eagerly):
    names = ["birth_place", "text_tower"]
    model = toy_model(names)
    before = {name: weights_of(model, tower_name(name)) for name in names}
    stages = [
        Stage("birth_place unimodal", 1, 0.01, unimodal="birth_place"),
        Stage("fusion", 1, 0.01, frozen=("text_tower_tower",)),
    ]
    fit_stages(model, stages, toy_data(names), task=TASK, verbose=0)
    after = {name: weights_of(model, tower_name(name)) for name in names}
    assert not are_same(before["birth_place"], after["birth_place"])
    assert are_same(before["text_tower"], after["text_tower"])
