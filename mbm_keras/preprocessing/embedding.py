"""One raw value to the embedding that a published encoder gives."""

import hashlib
import pathlib
from collections.abc import Mapping
from typing import Any
from typing import Self

import keras
import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing.protocols import Preprocessor

_FILE = "encoder.keras"
_CHUNK = 32  # values that the encoder sees at once


class Embedding(tf.Module):
    """Runs a frozen encoder, so that each value is encoded once and not once per epoch.

    What comes after learns from the embeddings as from any other numbers. The encoder
    is a part of the served graph, in front of the model.

    Args:
        preprocessor: From the raw value to the array that the encoder takes.
        encoder: A `keras.Model` of one input and one output `(batch, width)`, such as
            `mbm_keras.towers.pretrained.build` makes. It does not train.
        column: The raw column, where the input has another name; empty if not.

    Returns:
        From a raw value, `(width,)` float32.

    Raises:
        ValueError: If the encoder has other outputs, or Keras does not run on
            TensorFlow: a served graph has its operations alone.
    """

    modality = "vector"

    def __init__(
        self, preprocessor: Preprocessor, encoder: keras.Model, column: str = ""
    ):
        super().__init__(name="embedding")
        if keras.backend.backend() != "tensorflow":
            raise ValueError(
                "Expected the TensorFlow backend for an encoder in front of the model; "
                "use `towers.pretrained` inside the model on others. "
                f"Received: backend={keras.backend.backend()!r}."
            )
        shape: tuple[Any, ...] = getattr(encoder.output, "shape", ())
        if len(encoder.inputs) != 1 or len(shape) != 2 or shape[1] is None:
            raise ValueError(
                "Expected an encoder of one input, whose output is (batch, width). "
                f"Received: inputs={len(encoder.inputs)}, output={shape}."
            )
        self.preprocessor = preprocessor
        self.column = column
        self.raw = preprocessor.raw
        self.array = tf.TensorSpec((shape[1],), tf.float32)
        encoder.trainable = False
        # A SavedModel that tracks a Keras variable and the variable of TensorFlow in it
        # has its values twice: only the second is an attribute.
        self._encoder = _Hidden(encoder)
        self.weights = [variable.value for variable in encoder.variables]

    @property
    def encoder(self) -> keras.Model:
        """The encoder."""
        return self._encoder.model

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Raw values to `(batch, width)` float32; and which were decoded."""
        arrays, valid = self.preprocessor.decode(batch)
        embeddings = self._encode(arrays)
        return tf.where(valid[:, None], embeddings, 0.0), valid

    def _encode(self, arrays):
        """`(batch, ...)` to `(batch, width)`, some values at a time.

        Texts go in the order of their lengths, so that those of one chunk need little
        padding.
        """
        number = tf.shape(arrays)[0]
        # An encoder has one value at least.
        rest = tf.maximum(number, 1) - number
        arrays = tf.pad(arrays, [[0, rest], *[[0, 0]] * (arrays.shape.rank - 1)])
        is_text = self.preprocessor.modality == "text"
        lengths = tf.zeros(number + rest, tf.int32)
        if is_text:
            lengths = tf.reduce_sum(tf.cast(arrays != 0, tf.int32), axis=1)
        order = tf.argsort(lengths, stable=True)
        arrays, lengths = tf.gather(arrays, order), tf.gather(lengths, order)
        size = tf.clip_by_value(number, 1, _CHUNK)
        count = -(-(number + rest) // size)

        def encode(i):
            part = arrays[i * size : (i + 1) * size]
            if is_text:
                longest = tf.reduce_max(lengths[i * size : (i + 1) * size])
                part = part[:, : tf.maximum(longest, 1)]
            found = tf.cast(self.encoder(part, training=False), tf.float32)
            return tf.pad(found, [[0, size - tf.shape(found)[0]], [0, 0]])

        width = self.array.shape[0]
        spec = tf.TensorSpec((None, width), tf.float32)
        chunks = tf.map_fn(encode, tf.range(count), fn_output_signature=spec)
        flat = tf.reshape(chunks, (-1, width))[: number + rest]
        return tf.gather(flat, tf.argsort(order))[:number]

    def explain(self, value) -> str:
        """Why a value cannot be decoded; empty if it can."""
        return self.preprocessor.explain(value)

    def adapt(self, values) -> None:
        """Lets the preprocessor learn, such as the length of the texts."""
        self.preprocessor.adapt(values)

    def sizes(self) -> dict[str, Any]:
        """`size`, the width of the embedding."""
        return {"size": self.array.shape[0]}

    def config(self) -> dict[str, Any]:
        """The arguments, and a digest of the weights, which are in a file."""
        return {
            "inner": {
                "preprocessor": type(self.preprocessor).__name__,
                **self.preprocessor.config(),
            },
            "column": self.column,
            "weights": self._digest(),
        }

    def _digest(self):
        digest = hashlib.sha256()
        for array in self.encoder.get_weights():
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def save_files(self, folder) -> None:
        """Writes the encoder into a folder, which is made."""
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.encoder.save(folder / _FILE)

    @classmethod
    def from_config(cls, config: Mapping[str, Any], folder=None) -> Self:
        """Reads what `config` and `save_files` wrote.

        Args:
            config: What `config` returned.
            folder: The folder of `save_files`.

        Raises:
            ValueError: If there is no such file, or it has other weights.
        """
        from mbm_keras.preprocessing.registry import PREPROCESSORS

        path = pathlib.Path(folder or "") / _FILE
        if not path.is_file():
            raise ValueError(f"there is no encoder in `{path}`")
        inner = dict(config["inner"])
        kind = PREPROCESSORS[inner.pop("preprocessor")]
        encoder = keras.models.load_model(path, compile=False)
        found = cls(kind.from_config(inner), encoder, config["column"])
        if found._digest() != config["weights"]:
            raise ValueError(f"`{path}` has other weights than those of the training")
        return found


class _Hidden:
    """Keeps a model out of what a `tf.Module` tracks."""

    def __init__(self, model):
        self.model = model
