"""Names of the fusions, models, tasks and towers, without importing Keras.

The import lines in the `__init__.py` of a folder are its registry. Importing the folder
takes seconds, since it imports Keras; this module reads the lines instead, so that the
command line lists all names in its help at once.
"""

import ast
import pathlib

_ROOT = pathlib.Path(__file__).parent.parent


def names(package: str) -> tuple[str, ...]:
    """Names that a folder registers: its modules imported in its `__init__.py`.

    Args:
        package: Dotted name of the folder, such as `"mbm_keras.fusion"`.

    Returns:
        File names without `.py`, in the order of the import lines.

    Raises:
        ValueError: If this is not a folder with an `__init__.py`.
    """
    path = _ROOT.joinpath(*package.split("."), "__init__.py")
    if not path.is_file():
        raise ValueError(
            "Expected the name of a package with an `__init__.py`. "
            f"Received: package={package!r}."
        )
    found = []
    for node in ast.parse(path.read_text("utf-8")).body:
        if not isinstance(node, ast.ImportFrom) or node.module is None:
            continue
        if node.module == package:  # from mbm_keras.towers import audio_cnn
            found += [alias.asname or alias.name for alias in node.names]
        elif node.module.startswith(f"{package}."):
            # from mbm_keras.fusion.sum import SumFusion
            found.append(node.module.removeprefix(f"{package}."))
    return tuple(dict.fromkeys(found))
