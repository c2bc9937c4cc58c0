"""Answers rows with a SavedModel, in a process without Keras and this package.

Run as a script: it reads one JSON object, `path` of the SavedModel and raw `columns`,
from standard input, and prints one JSON object.
"""

import base64
import json
import sys


class Without:
    """A finder of modules that does not find what must not be needed."""

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

    asked = json.load(sys.stdin)
    serve = tf.saved_model.load(asked["path"]).signatures["serve"]
    specs = serve.structured_input_signature[1]
    raw = {name: tensor(asked["columns"][name], spec) for name, spec in specs.items()}
    first = {name: values[:1] for name, values in raw.items()}
    print(json.dumps({"together": answer(raw), "alone": answer(first)}))  # noqa: T201


if __name__ == "__main__":
    main()
