"""Our own tensorflow-datasets builders, in its own layout: a folder each."""

import importlib


def register():
    """Makes every builder known to `tfds.builder`; importing one is enough."""
    for name in ("keypad_arithmetic", "shapes_and_scenes"):
        importlib.import_module(
            f"data_pipelines.datasets.builders.{name}.{name}_dataset_builder"
        )
