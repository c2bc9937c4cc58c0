"""From the tensors of a checkpoint to the weights of a model, by the layers' names.

The layers of an encoder have the names of a checkpoint's modules. What differs is how a
kind of layer calls its weights and orders their axes:

    Dense               weight (out, in)            kernel (in, out)
    Conv1D, -2D, -3D    weight (out, in, ...)       kernel (..., in, out)
    DepthwiseConv2D     weight (in, 1, ...)         kernel (..., in, 1)
    normalizations      weight, bias; old files: gamma, beta
    any with one weight the name of the layer, or weight
"""

import dataclasses
import math
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import layers

from mbm_keras.layers import AddGridPositions
from mbm_keras.layers import AttentionPool
from mbm_keras.weights.resize import resize
from mbm_keras.weights.safetensors import Tensor

# Numbers that a checkpoint may hold without being weights.
_BUFFERS = ("position_ids", "num_batches_tracked", "relative_position_index")
_OLD_NAMES = {"weight": "gamma", "bias": "beta"}  # in files of the first years
# How PyTorch calls the length and the direction of a kernel with weight norm.
_NORM_NAMES = (
    ("parametrizations.weight.original0", "parametrizations.weight.original1"),
    ("weight_g", "weight_v"),
)


@dataclasses.dataclass(frozen=True)
class Part:
    """One weight of a layer.

    Args:
        variable: The weight.
        tensor: Name of the tensor of the checkpoint.
        arrange: From the tensor's values to those of the weight.
    """

    variable: Any
    tensor: str
    arrange: Callable[[np.ndarray], np.ndarray] = np.asarray


class Tensors:
    """Tensors of a checkpoint by the names of the base model, and which were used.

    Args:
        tensors: Tensors by the names in the file.
        prefix: What a file with the head of a task has before the names of the base
            model, such as `bert.`.
    """

    def __init__(self, tensors: Mapping[str, Tensor], prefix: str = ""):
        self._tensors = tensors
        self._prefix = prefix
        self._used: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return self._find(name) is not None

    def read(self, name: str) -> np.ndarray:
        """The values of a tensor.

        Raises:
            ValueError: If there is no such tensor.
        """
        found = self._find(name)
        if found is None:
            norm = self._read_with_norm(name)
            if norm is not None:
                return norm
            raise ValueError(
                f"Expected the tensor {name!r} in the checkpoint. Received: "
                f"{len(self._tensors)} tensors, such as "
                f"{', '.join(sorted(self._tensors)[:3])}."
            )
        self._used.add(found)
        return self._tensors[found].read()

    def list_unused(self) -> tuple[str, ...]:
        """Names of the tensors that were not read, in the order of the alphabet."""
        return tuple(
            name
            for name in sorted(set(self._tensors) - self._used)
            if not name.endswith(_BUFFERS)
        )

    def _find(self, name):
        head, _, kind = name.rpartition(".")
        old = f"{head}.{_OLD_NAMES[kind]}" if kind in _OLD_NAMES else name
        candidates = (name, self._prefix + name, old, self._prefix + old)
        return next((x for x in candidates if x in self._tensors), None)

    def _read_with_norm(self, name):
        """A kernel that is kept as its length and its direction, or None."""
        head, _, kind = name.rpartition(".")
        for length, direction in _NORM_NAMES:
            if kind == "weight" and f"{head}.{length}" in self:
                g, v = self.read(f"{head}.{length}"), self.read(f"{head}.{direction}")
                # The axes that the length does not have are normalized.
                axes = tuple(i for i, size in enumerate(g.shape) if size == 1)
                return g * v / np.sqrt(np.sum(v * v, axis=axes, keepdims=True))
        return None


def assign(model: keras.Model, tensors: Tensors) -> None:
    """Fills the weights of a model from a checkpoint.

    Args:
        model: The model; the layers with weights have names of the checkpoint.
        tensors: The checkpoint.

    Raises:
        ValueError: If a tensor is missing, or has another shape.
    """
    for layer in weighted_layers(model):
        fill_parts(parts_of(layer, tensors), tensors)


def fill_parts(parts: Iterable[Part], tensors: Tensors) -> None:
    """Fills weights from a checkpoint.

    Args:
        parts: The weights and their tensors.
        tensors: The checkpoint.

    Raises:
        ValueError: If a tensor is missing, or has another shape.
    """
    for part in parts:
        values = part.arrange(tensors.read(part.tensor))
        if tuple(values.shape) != tuple(part.variable.shape):
            raise ValueError(
                f"Expected the tensor {part.tensor!r} to fill a weight of shape "
                f"{tuple(part.variable.shape)}. Received: {tuple(values.shape)}, "
                "in the order of Keras. Do config.json and the weights belong "
                "together?"
            )
        part.variable.assign(values)


def weighted_layers(model: keras.Model) -> Iterator[Any]:
    """Layers with weights, those of models in the model included."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from weighted_layers(layer)
        elif layer.weights:
            yield layer


def parts_of(layer: Any, tensors: Tensors) -> list[Part]:
    """The weights of a layer and their tensors.

    Args:
        layer: A layer with weights.
        tensors: The checkpoint; some kinds of layers have two spellings in it.

    Raises:
        ValueError: If there is no rule for this kind of layer.
    """
    for kinds, rule in _RULES:
        if isinstance(layer, kinds):
            return rule(layer, tensors)
    if len(layer.weights) == 1:
        return _table(layer, tensors)
    raise ValueError(
        "Expected a layer that a checkpoint can fill. "
        f"Received: {layer.name!r} of {type(layer).__name__}."
    )


def _kernel_rule(arrange):
    def rule(layer, tensors):
        parts = [Part(layer.kernel, f"{layer.name}.weight", arrange)]
        if layer.use_bias:
            parts.append(Part(layer.bias, f"{layer.name}.bias"))
        return parts

    return rule


def _last_two_first(values):
    """From (out, in, ...) to (..., in, out)."""
    return np.transpose(values, (*range(2, values.ndim), 1, 0))


def _depthwise(values):
    """From (in, 1, ...) to (..., in, 1)."""
    return np.transpose(values, (*range(2, values.ndim), 0, 1))


def _embedding(layer, tensors):
    return [Part(layer.embeddings, f"{layer.name}.weight")]


def _normalization(layer, tensors):
    parts = []
    if layer.scale:
        parts.append(Part(layer.gamma, f"{layer.name}.weight"))
    if layer.center:
        parts.append(Part(layer.beta, f"{layer.name}.bias"))
    return parts


def _batch_normalization(layer, tensors):
    return [
        *_normalization(layer, tensors),
        Part(layer.moving_mean, f"{layer.name}.running_mean"),
        Part(layer.moving_variance, f"{layer.name}.running_var"),
    ]


def _table(layer, tensors):
    """One weight: a parameter of its own, or the table of an embedding."""
    (variable,) = layer.weights
    name = layer.name if layer.name in tensors else f"{layer.name}.weight"
    return [Part(variable, name, lambda values: _drop_ones(values, variable.shape))]


def _grid(layer, tensors):
    """Positions of an image; those of another grid are interpolated."""
    (table,) = _table(layer, tensors)

    def arrange(values):
        values = _drop_ones(values, layer.table.shape)
        tokens, patches = values[: layer.num_tokens], values[layer.num_tokens :]
        side = math.isqrt(len(patches))
        old = layer.published_grid or (side, side)
        if old == layer.grid or len(patches) != math.prod(old):
            return values  # of another number, which `assign` reports
        patches = resize(patches.reshape(*old, -1), layer.grid, layer.antialias)
        return np.concatenate([tokens, patches.reshape(-1, values.shape[-1])])

    return [dataclasses.replace(table, arrange=arrange)]


def _attention_pool(layer, tensors):
    """`torch.nn.MultiheadAttention`, and the query next to it."""
    name = f"{layer.name}.attention"
    return [
        Part(layer.probe, f"{layer.name}.probe", lambda x: np.reshape(x, (1, -1))),
        Part(layer.in_kernel, f"{name}.in_proj_weight", np.transpose),
        Part(layer.in_bias, f"{name}.in_proj_bias"),
        Part(layer.out_kernel, f"{name}.out_proj.weight", np.transpose),
        Part(layer.out_bias, f"{name}.out_proj.bias"),
    ]


def _drop_ones(values, shape):
    """Without axes of one entry that a parameter has before its own."""
    while values.ndim > len(shape) and values.shape[0] == 1:
        values = values[0]
    return values[None] if values.ndim == len(shape) - 1 else values


_RULES: tuple[tuple[Any, Callable], ...] = (
    (layers.Embedding, _embedding),
    (layers.Dense, _kernel_rule(np.transpose)),
    (layers.DepthwiseConv2D, _kernel_rule(_depthwise)),
    (
        (layers.Conv1D, layers.Conv2D, layers.Conv3D),
        _kernel_rule(_last_two_first),
    ),
    (layers.BatchNormalization, _batch_normalization),
    (layers.LayerNormalization, _normalization),
    (layers.GroupNormalization, _normalization),
    (AddGridPositions, _grid),
    (AttentionPool, _attention_pool),
)
