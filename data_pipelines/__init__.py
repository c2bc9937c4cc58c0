"""tf.data pipelines of aligned text, image, audio and table columns.

Imports nothing from `mbm_keras`: a pipeline is handed its preprocessors. The names
below are imported on first use, so that reading a table does not wait for
TensorFlow.
"""

import importlib

_HOME = {
    "Samples": "data_pipelines.decoding.samples",
    "Stream": "data_pipelines.decoding.stream",
    "align": "data_pipelines.tables.align",
    "augment": "data_pipelines.augment",
    "datasets": "data_pipelines.datasets",
    "Buckets": "data_pipelines.batching.buckets",
    "decode": "data_pipelines.decoding.decode",
    "Order": "data_pipelines.batching.order",
    "pack": "data_pipelines.tables.pack",
    "scan": "data_pipelines.decoding.scan",
    "sources": "data_pipelines.sources",
    "windows": "data_pipelines.recordings.windows",
    "zip_aligned": "data_pipelines.batching.zip_aligned",
}
__all__ = sorted(_HOME)


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = importlib.import_module(_HOME[name])
    return getattr(home, name, home)


def __dir__():
    return sorted([*globals(), *__all__])
