"""Makes Keras know our layers as soon as both packages are imported.

`keras.models.load_model("run/model.keras")` needs our layers to be registered, which
importing their modules does. Importing them with `mbm_keras` would import Keras, and
`mbm --help` would wait for seconds. So they are imported once Keras is.
"""

import importlib
import importlib.abc
import importlib.util
import sys

_MODULES = (
    "mbm_keras.models",
    "mbm_keras.fusion",
    "mbm_keras.losses",
    "mbm_keras.training.rates",
)


def register_when_keras_is_imported():
    """Registers our layers now if Keras is imported, else when it will be."""
    if not _register():
        sys.meta_path.insert(0, _Watcher())


def _register():
    """Imports our layers if that is possible now; returns whether it was."""
    # Keras first: its import makes thousands of calls, and each would look at them all.
    if "keras" not in sys.modules or _is_incomplete("keras"):
        return False
    ours = [name for name in sys.modules if name.startswith("mbm_keras.")]
    if any(map(_is_incomplete, ours)):
        return False
    for module in _MODULES:
        importlib.import_module(module)
    return True


def _is_incomplete(name):
    """Whether a module of Keras or of this package is in the middle of its import."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return getattr(spec, "_initializing", False)


class _Watcher(importlib.abc.MetaPathFinder):
    """Registers our layers after the import of Keras.

    Where one of our own modules imports Keras, it is incomplete at that time: the next
    import of anything registers then.
    """

    def __init__(self):
        self._is_busy = False

    def find_spec(self, name, path=None, target=None):
        if self._is_busy:
            return None
        self._is_busy = True
        try:
            spec = importlib.util.find_spec(name) if name == "keras" else None
            if spec is not None and spec.loader is not None:
                self._execute = spec.loader.exec_module
                spec.loader.exec_module = self._import_keras
            elif _register():
                sys.meta_path.remove(self)
        finally:
            self._is_busy = False
        return spec

    def _import_keras(self, module):
        self._execute(module)
        module.__spec__._initializing = False  # it is complete now
        self._is_busy = True
        try:
            if _register():
                sys.meta_path.remove(self)
        finally:
            self._is_busy = False
