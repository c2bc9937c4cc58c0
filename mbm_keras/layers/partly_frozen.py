"""A network some of whose layers stay frozen, whatever is set around it."""

import fnmatch
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import keras


@keras.saving.register_keras_serializable(package="mbm_keras.layers.partly_frozen")
class PartlyFrozen(keras.Model):
    """A functional model with rules for the layers that do not train.

    Keras sets `trainable` of all layers inside where it is set of a model, also when a
    model is loaded; a layer that was frozen inside learns again then. Here the rules
    are a part of the configuration, and are applied after each such change.

        part = PartlyFrozen(model.input, model.output, name=model.name)
        part.freeze(["embeddings.*", "encoder.layer.[0-3].*"])

    """

    frozen: tuple[str, ...] = ()
    trained: tuple[str, ...] = ()

    def freeze(self, frozen: Sequence[str], trained: Sequence[str] = ()) -> None:
        """Sets the rules. They replace those before.

        Args:
            frozen: Patterns of the paths of layers, as of file names: `*` for any text.
                The path of a layer in a network inside is `network/layer`.
            trained: Patterns of layers that train nevertheless.

        Raises:
            ValueError: If a pattern matches no layer.
        """
        paths = [path for path, _ in _paths_of(self)]
        wrong = [
            pattern
            for pattern in (*frozen, *trained)
            if not any(fnmatch.fnmatchcase(path, pattern) for path in paths)
        ]
        if wrong:
            raise ValueError(
                f"Expected patterns of layers of {self.name!r}, such as "
                f"{', '.join(paths[:8])}. Received: {wrong}."
            )
        self.frozen, self.trained = tuple(frozen), tuple(trained)
        self._set_trainable(self.trainable)

    @property
    def trainable(self) -> bool:
        """Whether the layers that no rule freezes train."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._set_trainable(value)

    def _set_trainable(self, value):
        # An assignment of the value that it has is of no effect on TensorFlow.
        keras.Layer.trainable.fset(self, value)  # type: ignore[attr-defined]
        for path, layer in _paths_of(self):
            if _matches(path, self.frozen) and not _matches(path, self.trained):
                layer.trainable = False

    def get_config(self):
        return {
            **super().get_config(),
            "frozen": list(self.frozen),
            "trained": list(self.trained),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        rules = config.pop("frozen"), config.pop("trained")
        found = super().from_config(config, custom_objects)
        found.freeze(*rules)
        return found


def _paths_of(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Layers that hold weights themselves, with their paths."""
    for layer in model.layers:
        path = f"{prefix}{layer.name}"
        if isinstance(layer, keras.Model):
            yield from _paths_of(layer, f"{path}/")
        else:
            yield path, layer


def _matches(path, patterns):
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)
