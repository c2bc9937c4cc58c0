"""What a search may change in a plan."""

import dataclasses

import pytest

from mbm_keras.auto.plan import InputPlan
from mbm_keras.auto.plan import Plan
from mbm_keras.auto.space import Range
from mbm_keras.auto.space import change
from mbm_keras.auto.space import get
from mbm_keras.auto.space import standard_space

PHOTO = InputPlan(
    "image",
    {"photo": "image"},
    "Pixels",
    {"size": 32},
    "image_statistics",
    {"filters": [8, 16], "dropout": 0.4},
)
ROW = InputPlan("table", {"age": "number"}, "TableRow", {}, "tabm", {"num_members": 8})
PLAN = Plan("y", "label", {"my.photo": PHOTO, "table": ROW}, epochs=10)


def test_the_standard_space_has_the_values_of_the_plan():
    space = standard_space(PLAN)
    assert {"fusion", "stages", "augment", "input.my.photo.tower"} <= set(space)
    for name, values in space.items():
        value = get(PLAN, name)
        inside = (
            values.low <= value <= values.high
            if isinstance(values, Range)
            else value in values
        )
        assert inside, name
    assert 0.4 in space["input.my.photo.dropout"]


def test_a_plan_of_one_input_has_no_fusion_to_search():
    one = dataclasses.replace(PLAN, inputs={"table": ROW})
    assert not {"fusion", "stages", "augment"} & set(standard_space(one))


def test_a_change_leaves_the_rest_as_it_was():
    plan = change(PLAN, {"fusion": "gated", "input.my.photo.dropout": 0.1})
    assert plan.fusion == "gated" and plan.reasons["fusion"]
    photo = plan.inputs["my.photo"]
    assert photo.tower_sizes == {"filters": [8, 16], "dropout": 0.1}
    assert plan.inputs["table"] == ROW and PLAN.fusion == "film"
    assert change(PLAN, {n: get(PLAN, n) for n in standard_space(PLAN)}) == PLAN


def test_another_tower_keeps_the_sizes_that_it_has_too():
    plan = change(PLAN, {"input.my.photo.tower": "image_cnn"})
    assert plan.inputs["my.photo"].tower_sizes == PHOTO.tower_sizes
    plan = change(PLAN, {"input.table.tower": "table_mlp"})
    assert plan.inputs["table"].tower_sizes == {}


def test_a_size_of_the_preprocessor_can_be_searched():
    plan = change(PLAN, {"input.my.photo.size": 64})
    assert plan.inputs["my.photo"].sizes == {"size": 64}


@pytest.mark.parametrize("name", ["seed", "target", "input.gone.tower", "nothing"])
def test_an_unknown_choice_is_refused(name):
    with pytest.raises(ValueError, match="Received"):
        change(PLAN, {name: 1})


@pytest.mark.parametrize("ends", [(0.0, 1.0), (2.0, 1.0)])
def test_a_range_needs_two_ends_above_zero(ends):
    with pytest.raises(ValueError, match="0 < low < high"):
        Range(*ends)
