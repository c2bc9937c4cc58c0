"""Pages that mkdocs makes from the code: the start, a page per model, the reference.

A hook of mkdocs, see `mkdocs.yml`. It reads files and imports none of the packages.
"""

import ast
import pathlib
import re

from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).parent.parent
# Pages of the repository that are not in `docs/`, by their name here.
COPIES = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "results.md": "benchmarks/RESULTS.md",
}
ROOM = "mbm_keras.models"
PACKAGES = ("mbm_keras", "data_pipelines")


def on_config(config):
    """Fills the two parts of the navigation that follow from the code."""
    models = [{"All": "models/index.md"}]
    models += [{name: f"models/{name}.md"} for name in model_names()]
    rooms = [{room: f"reference/{room}.md"} for room in room_names()]
    parts = {"models/": models, "reference/": rooms}
    config.nav = [
        {title: parts.get(page, page) if isinstance(page, str) else page}
        for entry in config.nav
        for title, page in entry.items()
    ]
    return config


def on_files(files, config):
    """Adds the pages."""
    pages = {name: read_copy(path) for name, path in COPIES.items()}
    pages["models/index.md"] = list_models()
    pages |= {f"models/{name}.md": model_page(name) for name in model_names()}
    pages |= {f"reference/{room}.md": room_page(room) for room in room_names()}
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def model_names():
    """Names of the models, as `mbm_keras.models` imports them."""
    tree = ast.parse((ROOT / "mbm_keras/models/__init__.py").read_text())
    return [
        node.names[0].name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "mbm_keras.models"
    ]


def room_names():
    """Dotted names of the packages with public modules."""
    found = []
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("__init__.py")):
            folder = file.parent.relative_to(ROOT)
            found.append(".".join(folder.parts))
    return found


def read_copy(path):
    """A page of the repository, with its links as they are in the documentation."""
    text = (ROOT / path).read_text()
    for name, other in COPIES.items():
        text = text.replace(f"]({other})", f"]({name})")
    return re.sub(r"\]\((?:docs/|\.\./docs/)", "](", text)


def list_models():
    """One line for each model, with the first line of its docstring."""
    lines = ["# Models", "", "| model | |", "|---|---|"]
    for name in model_names():
        first = (docstring(name).splitlines() or [""])[0]
        lines.append(f"| [`{name}`]({name}.md) | {first.split(': ', 1)[-1]} |")
    return "\n".join(lines)


def model_page(name):
    """What a model is, how it is trained, what was measured, and its functions."""
    module = f"{ROOM}.{name}"
    first, _, rest = docstring(name).partition("\n")
    parts = [f"# {name}", first, rest.strip()]
    if name not in ("dual_encoder", "looking_to_listen"):
        command = f"mbm train rows.csv --target answer --model {name}"
        parts += ["## Train", f"```\n{command} --out run/\n```"]
    measured = results_of(name)
    if measured:
        parts += ["## Measured", *measured, "More in [the results](../results.md)."]
    parts += ["## Build", *(f"::: {module}.{f}" for f in ("build", "check_fit"))]
    parts.append(f"The other names of the file: [reference](../reference/{ROOM}.md).")
    return "\n\n".join(parts)


def results_of(name):
    """The sections of the results that name a model, as links."""
    text = (ROOT / COPIES["results.md"]).read_text()
    found = []
    for section in re.split(r"^## ", text, flags=re.M)[1:]:
        title = section.splitlines()[0]
        if re.search(rf"`{name}`|`{name}\.", section):
            found.append(f"- {title}")
    return ["\n".join(found)] if found else []


def docstring(name):
    """The docstring of a model's file."""
    source = (ROOT / "mbm_keras/models" / f"{name}.py").read_text()
    return ast.get_docstring(ast.parse(source)) or ""


def room_page(room):
    """The reference of all modules of a package."""
    folder = ROOT.joinpath(*room.split("."))
    modules = sorted(
        file.stem for file in folder.glob("*.py") if not file.stem.startswith("_")
    )
    lines = [f"# {room}", f"::: {room}\n    options:\n      members: false"]
    lines += [f"::: {room}.{module}" for module in modules]
    return "\n\n".join(lines)
