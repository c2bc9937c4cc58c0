"""Multimodal models in Keras 3: from files on disk to a served model.

The folders are imported on first use, so that `import mbm_keras` (and with it
`mbm --help`) does not wait for Keras.
"""

import importlib

__all__ = [
    "evaluation",
    "export",
    "fusion",
    "generation",
    "layers",
    "losses",
    "metrics",
    "models",
    "preprocessing",
    "tasks",
    "towers",
    "training",
]


def __getattr__(name):
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
