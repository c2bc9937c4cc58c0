"""Answers rows with a SavedModel, in a process without Keras and this package.

Run as a script: it reads one JSON object, `path` of the SavedModel and raw `columns`,
from standard input, and prints one JSON object.
"""

import base64
import json
import pathlib
import sys


class Without:
    """A finder of modules that does not find Keras and this package."""

    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("keras", "mbm_keras", "data_pipelines"):
            return None
        return self.finder.find_spec(name, path, target)


def main():
    """Prints the answers to all rows together, and to the first alone."""
    sys.meta_path = [Without(finder) for finder in sys.meta_path]
    import tensorflow as tf

    def tensor(values, spec):
        if spec.dtype == tf.string:
            values = [base64.b64decode(value["bytes"]) for value in values]
        else:
            values = [float("nan") if value is None else value for value in values]
        return tf.constant(values, spec.dtype)

    def answer(raw):
        served = serve(**raw)
        return {
            k: v.numpy().tolist() for k, v in served.items() if v.dtype != tf.string
        }

    request = json.load(sys.stdin)
    path = pathlib.Path(request["path"])
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    features = json.loads((path / "assets.extra" / "features.json").read_text("utf-8"))
    keys = features["keys"]
    columns = {keys[name]: values for name, values in request["columns"].items()}
    specs = serve.structured_input_signature[1]
    raw = {key: tensor(columns[key], spec) for key, spec in specs.items()}
    first = {key: values[:1] for key, values in raw.items()}
    print(json.dumps({"together": answer(raw), "alone": answer(first)}))  # noqa: T201


if __name__ == "__main__":
    main()
