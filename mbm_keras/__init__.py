"""Multimodal models in Keras 3: from files on disk to a served model.

    import mbm_keras as mbm

    run = mbm.train("rows.csv", target="answer")
    run.evaluate("test.csv")
    run.predict([{"question": "how many?", "photo": "a.jpg"}])
    run.export("served")

Everything is imported on first use, so that `import mbm_keras` (and with it `mbm
--help`) does not wait for Keras.
"""

import importlib
import importlib.metadata

from mbm_keras import registration

_FOLDERS = (
    "auto",
    "encoders",
    "evaluation",
    "export",
    "fusion",
    "generation",
    "inputs",
    "layers",
    "losses",
    "metrics",
    "models",
    "preprocessing",
    "runs",
    "serving",
    "tasks",
    "towers",
    "training",
    "weights",
)
_CALLS = {
    "InputSpec": "mbm_keras.inputs",
    "Plan": "mbm_keras.auto.plan",
    "Run": "mbm_keras.runs.run",
    "evaluate": "mbm_keras.runs.evaluate",
    "index": "mbm_keras.runs.index",
    "inspect": "mbm_keras.runs.inspect",
    "load": "mbm_keras.runs.load",
    "pack": "mbm_keras.runs.pack",
    "plan": "mbm_keras.runs.train",
    "predict": "mbm_keras.runs.predict",
    "quickstart": "mbm_keras.runs.quickstart",
    "search": "mbm_keras.runs.search",
    "separate": "mbm_keras.runs.separate",
    "serve": "mbm_keras.runs.serve",
    "train": "mbm_keras.runs.train",
    "transcribe": "mbm_keras.runs.transcribe",
    "tune": "mbm_keras.runs.tune",
}

__all__ = sorted([*_FOLDERS, *_CALLS])

registration.register_when_keras_is_imported()


def __getattr__(name):
    if name in _CALLS:
        return getattr(importlib.import_module(_CALLS[name]), name)
    if name in _FOLDERS:
        return importlib.import_module(f"{__name__}.{name}")
    if name == "__version__":
        return importlib.metadata.version("mbm-keras")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__, "__version__"])
