"""Names of arrays in batches are those of the models' inputs."""

from data_pipelines.batching import names
from mbm_keras import inputs


def test_presence_has_the_name_of_the_input():
    assert names.PRESENT == inputs.PRESENT
    assert names.VALID == inputs.VALID


def test_an_index_has_the_name_of_the_input():
    assert names.index_name("photo") == inputs.index_name("photo")
