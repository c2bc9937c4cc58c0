"""Who may import whom. The floors of the house, as a test."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent

# Each folder may import the folders listed, and no other of this package.
ZOO = {
    "mbm_keras.encoders",
    "mbm_keras.fusion",
    "mbm_keras.generation",
    "mbm_keras.inputs",
    "mbm_keras.layers",
    "mbm_keras.losses",
    "mbm_keras.metrics",
    "mbm_keras.preset",
    "mbm_keras.tag_scheme",
    "mbm_keras.tasks",
    "mbm_keras.towers",
    "mbm_keras.weights",
}
BASE = {
    "mbm_keras.layers",
    "mbm_keras.inputs",
    "mbm_keras.sentence_answers",
    "mbm_keras.tag_scheme",
}
FILES = "data_pipelines.files"  # everything that is written goes through it
TAKES_A_MODEL = BASE | {FILES, "mbm_keras.metrics", "mbm_keras.tasks"}
TOP = {"mbm_keras", "data_pipelines"}
MAY_IMPORT = {
    "mbm_keras.inputs": set(),
    "mbm_keras.label_text": set(),
    "mbm_keras.registry": set(),
    "mbm_keras.sentence_answers": set(),
    "mbm_keras.tag_scheme": set(),
    "mbm_keras.layers": {"mbm_keras.sentence_answers", "mbm_keras.tag_scheme"},
    "mbm_keras.preprocessing": {
        FILES,
        "mbm_keras.inputs",
        "mbm_keras.label_text",
        "mbm_keras.sentence_answers",
        "mbm_keras.tag_scheme",
        "data_pipelines.decoding.status",
    },
    "mbm_keras.generation": BASE,
    "mbm_keras.metrics": BASE,
    "mbm_keras.tasks": BASE,
    "mbm_keras.encoders": BASE | {"mbm_keras.preset"},
    "mbm_keras.weights": BASE | {"mbm_keras.encoders", FILES},
    "mbm_keras.towers": BASE | {"mbm_keras.encoders", "mbm_keras.weights"},
    "mbm_keras.fusion": BASE,
    "mbm_keras.losses": BASE,
    "mbm_keras.models": ZOO,
    "mbm_keras.training": TAKES_A_MODEL,
    "mbm_keras.baselines": {"mbm_keras.tasks"},
    "mbm_keras.evaluation": TAKES_A_MODEL,
    "mbm_keras.export": TAKES_A_MODEL,
    "mbm_keras.auto": TOP,
    "mbm_keras.runs": TOP,
    "mbm_keras.serving": set(),
    "data_pipelines": set(),
}
MAY_IMPORT_TENSORFLOW = {
    "mbm_keras.preprocessing",
    "mbm_keras.export",
    "mbm_keras.auto",
    "mbm_keras.runs",
    "mbm_keras.serving",
    "data_pipelines",
}
# The one file that calls a backend: `keras.distribution` has no way to set how soon an
# end of a process is noticed, or to give arrays of one process to the others.
MAY_IMPORT_JAX = ROOT / "mbm_keras/training/join.py"


def imports(folder):
    root = ROOT / folder.replace(".", "/")
    module = root.with_suffix(".py")
    for path in [module] if module.is_file() else root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                yield path, f"{node.module}.{node.names[0].name}"
            elif isinstance(node, ast.Import):
                yield from ((path, alias.name) for alias in node.names)


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_only_lower_floors(folder):
    allowed = (folder, *MAY_IMPORT[folder])
    seen = list(imports(folder))
    assert seen
    for path, module in seen:
        if module.startswith(("mbm_keras", "data_pipelines")):
            assert module.startswith(allowed), f"{path} imports {module}"


@pytest.mark.parametrize("folder", sorted(MAY_IMPORT.keys() - MAY_IMPORT_TENSORFLOW))
def test_imports_no_backend(folder):
    for path, module in imports(folder):
        backend = module.split(".")[0]
        if (path, backend) != (MAY_IMPORT_JAX, "jax"):
            assert backend not in {"tensorflow", "jax", "torch"}, f"{path}: {module}"


def test_nothing_reads_a_pickle_or_runs_a_string():
    for folder in ("mbm_keras", "data_pipelines"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Name):
                    assert node.id not in ("eval", "exec"), path
        for path, module in imports(folder):
            assert module.split(".")[0] not in ("pickle", "dill", "joblib"), path
