"""Stages as data."""

from mbm_keras.training import Stage
from mbm_keras.training import standard_stages
from tests.toys import toy_model


def test_towers_then_fusion_then_everything():
    stages = standard_stages(toy_model(), unimodal=1, fusion=2, finetune=3)
    assert stages == [
        Stage("image unimodal", 1, unimodal="image"),
        Stage("table unimodal", 1, unimodal="table"),
        Stage("fusion", 2, frozen=("image_tower", "table_tower")),
        Stage("finetune", 3),
    ]


def test_a_stage_of_no_epochs_is_left_out():
    stages = standard_stages(toy_model(), unimodal=0, fusion=0, finetune=3)
    assert [stage.name for stage in stages] == ["finetune"]
