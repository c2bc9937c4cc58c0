"""tf.data pipelines of aligned text, image, audio and table columns.

Imports nothing from `mbm_keras`: a pipeline is handed its preprocessors. The names
below are imported on first use, so that reading a table does not wait for
TensorFlow.
"""

import importlib

_HOME = {
    "Samples": "data_pipelines.samples",
    "Stream": "data_pipelines.stream",
    "align": "data_pipelines.align",
    "augment": "data_pipelines.augment",
    "Buckets": "data_pipelines.buckets",
    "decode": "data_pipelines.decoding",
    "Order": "data_pipelines.order",
    "pack": "data_pipelines.packing",
    "scan": "data_pipelines.scanning",
    "sources": "data_pipelines.sources",
    "windows": "data_pipelines.windows",
    "zip_aligned": "data_pipelines.aligned",
}
__all__ = sorted(_HOME)


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = importlib.import_module(_HOME[name])
    return getattr(home, name, home)


def __dir__():
    return sorted([*globals(), *__all__])
