"""The names of a folder, read from its import lines."""

import subprocess
import sys

import pytest

from mbm_keras import registry
from mbm_keras.fusion import FUSIONS
from mbm_keras.models import ZOO
from mbm_keras.tasks import TASKS
from mbm_keras.towers import TOWERS


@pytest.mark.parametrize(
    "folder, registered",
    [("fusion", FUSIONS), ("models", ZOO), ("tasks", TASKS), ("towers", TOWERS)],
)
def test_names_are_those_of_the_registry(folder, registered):
    assert registry.names(f"mbm_keras.{folder}") == tuple(registered)


def test_fusions_are_called_by_their_files():
    assert FUSIONS["film"].__name__ == "FiLMFusion"
    assert FUSIONS["scalar_interaction"].__name__ == "ScalarInteraction"


def test_names_are_read_without_keras():
    script = (
        "import sys; from mbm_keras import registry;"
        "assert 'film' in registry.names('mbm_keras.fusion');"
        "assert 'late_fusion' in registry.names('mbm_keras.models');"
        "assert not {'keras', 'numpy', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("package", ["mbm_keras.fusions", "mbm_keras.inputs", ""])
def test_rejects_what_is_not_a_folder_of_the_package(package):
    with pytest.raises(ValueError, match="package="):
        registry.names(package)
