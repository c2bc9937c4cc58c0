"""Which folder of `data_pipelines` may import which, in the order a row walks."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent / "data_pipelines"
SPOKEN = {"files", "protocols", "quarantine"}
MAY_IMPORT = {
    "files": set(),
    "protocols": set(),
    "quarantine": {"files"},
    "part_books": set(),
    "ray_workers": {"part_books"},
    "workers": {"part_books", "ray_workers"},
    "formats": {"quarantine"},
    "stores": {"protocols"},
    "tables": {"formats", "stores", "ray_workers", "workers", *SPOKEN},
    "sources": {"formats", "stores", "tables", "datasets", *SPOKEN},
    "decoding": {"augment", "batching", "formats", "stores", "tables", *SPOKEN},
    "batching": set(),
    "augment": {"batching"},
}


def list_imports(folder):
    path = ROOT / folder
    files = path.rglob("*.py") if path.is_dir() else [path.with_suffix(".py")]
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                yield file, f"{node.module}.{node.names[0].name}".split(".")
            elif isinstance(node, ast.Import):
                yield from ((file, alias.name.split(".")) for alias in node.names)


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_a_folder_imports_only_those_before_it(folder):
    allowed = {folder, *MAY_IMPORT[folder]}
    for file, (package, *names) in list_imports(folder):
        if package == "data_pipelines":
            assert names[0] in allowed, f"{file} imports {names[0]}"
