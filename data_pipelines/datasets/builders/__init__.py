"""Builders for `tensorflow-datasets`, in its layout: one folder each."""

import importlib


def register() -> None:
    """Registers all builders for `tfds.builder`: importing one registers it."""
    for name in ("keypad_arithmetic", "shapes_and_scenes"):
        importlib.import_module(
            f"data_pipelines.datasets.builders.{name}.{name}_dataset_builder"
        )
