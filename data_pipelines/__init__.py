"""tf.data pipelines of aligned text, image, audio and table columns.

Imports nothing from `mbm_keras`: a pipeline is given its preprocessors. The names
below are imported on first use, so that reading a table does not wait for
TensorFlow.
"""

import importlib
from typing import Any

_MODULES = {
    "Ray": "data_pipelines.ray_workers",
    "Samples": "data_pipelines.decoding.samples",
    "Stream": "data_pipelines.decoding.stream",
    "align": "data_pipelines.tables.align",
    "augment": "data_pipelines.augment",
    "datasets": "data_pipelines.datasets",
    "Buckets": "data_pipelines.batching.buckets",
    "decode": "data_pipelines.decoding.decode",
    "Order": "data_pipelines.batching.order",
    "open_table": "data_pipelines.sources.open_any",
    "pack": "data_pipelines.tables.pack",
    "scan": "data_pipelines.decoding.scan",
    "sources": "data_pipelines.sources",
    "windows": "data_pipelines.recordings.windows",
    "zip_aligned": "data_pipelines.batching.zip_aligned",
}
__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(_MODULES[name])
    return getattr(module, name, module)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
