"""Low-rank adapters in the networks of a model, and freezing of parts of them."""

import contextlib
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from mbm_keras.layers import LowRankDense
from mbm_keras.layers import PartlyFrozen
from mbm_keras.tasks import TaskModel

# What the families of encoders call the dense layers around attention.
ROLES = {
    "query": ("query", "q_proj", "q_lin", "q", "Wqkv", "qkv"),
    "key": ("key", "k_proj", "k_lin", "k", "Wqkv", "qkv"),
    "value": ("value", "v_proj", "v_lin", "v", "Wqkv", "qkv"),
    "output": ("attention.output.dense", "out_proj", "out_lin", "o", "attn.Wo"),
}


def adapt(
    model: keras.Model,
    rank: int = 8,
    which: Sequence[str] = ("query", "value"),
    *,
    towers: Collection[str] | None = None,
    scale: float = 2.0,
) -> keras.Model:
    """The same model with low-rank adapters in some of its dense layers.

    In each network that has such a layer the adapters alone learn, and all else is
    constant. What is around it, such as a fusion and a head, learns as before. All this
    is kept by `.keras` files: a model that is loaded trains the same weights.

    Source: Hu et al. 2022, "LoRA", https://arxiv.org/abs/2106.09685, section 4.2, where
    queries and values are adapted.

    Args:
        model: A functional model: an encoder, a tower, or a model with towers.
        rank: int > 0, see `mbm_keras.layers.LowRankDense`.
        which: Dense layers to adapt: `"query"`, `"key"`, `"value"`, `"output"` in any
            family of `mbm_keras.encoders`; or the last part of other layers' names.
        towers: Names of top-level layers to adapt in; None for all.
        scale: float > 0, see `mbm_keras.layers.LowRankDense`.

    Returns:
        A functional `keras.Model`. It shares all layers that are not adapted with the
        one given, which is not to be trained any more.

    Raises:
        ValueError: If there is no such layer, or no such tower.
    """
    return insert_adapters(model, rank, which, towers=towers, scale=scale)[0]


def insert_adapters(
    model: keras.Model,
    rank: int = 8,
    which: Sequence[str] = ("query", "value"),
    *,
    towers: Collection[str] | None = None,
    scale: float = 2.0,
) -> tuple[keras.Model, list[tuple[Any, LowRankDense]]]:
    """As `adapt`; also pairs of each dense layer and the one in its place."""
    missing = set(towers or ()) - {layer.name for layer in model.layers}
    if missing:
        raise ValueError(
            f"Expected layers of {model.name!r}, some of "
            f"{[layer.name for layer in model.layers]}. Received: {sorted(missing)}."
        )
    names = tuple(x for name in which for x in ROLES.get(name, (name,)))
    pairs: list[tuple[Any, LowRankDense]] = []

    def replace(layer):
        if not isinstance(layer, layers.Dense) or not _ends_with(layer.name, names):
            return layer
        pairs.append((layer, LowRankDense.from_dense(layer, rank, scale)))
        return pairs[-1][1]

    def hold(network):
        adapted = [x.name for x in network.layers if isinstance(x, LowRankDense)]
        return partly_frozen(network, ("*",), adapted) if adapted else network

    adapted = _rebuild(model, replace, hold, towers)
    if not pairs:
        raise ValueError(
            f"Expected dense layers of {model.name!r} that are called {list(names)}, "
            f"from which={list(which)}. Received: {_dense_names(model)[:20]}."
        )
    return adapted, pairs


@contextlib.contextmanager
def with_adapters(
    model: keras.Model, towers: Collection[str], rank: int = 8
) -> Iterator[keras.Model]:
    """A model with adapters in some towers, for the time of a stage.

    At the end they are added to the weights of the model, whose layers learn as before.

    Args:
        model: A functional model.
        towers: Names of its top-level layers to adapt; the model itself if empty.
        rank: int > 0, rank of the adapters.

    Yields:
        A functional `keras.Model` with the same inputs and outputs.
    """
    if not towers:
        yield model
        return
    before = [(layer, layer.trainable) for layer in model._flatten_layers()]
    adapted, pairs = insert_adapters(model, rank, towers=towers)
    try:
        yield adapted
        for dense, low_rank in pairs:
            low_rank.merge_into(dense)
    finally:
        for layer, trainable in before:
            layer.trainable = trainable


def merge(model: keras.Model) -> keras.Model:
    """The same function without adapters: each is added to the kernel of its layer.

    Args:
        model: What `adapt` returned, trained or loaded.

    Returns:
        A functional `keras.Model`, which gives the same outputs and costs as much as
        the one without adapters. It shares all other layers. In the networks that were
        adapted all layers can learn.

    Raises:
        ValueError: If there is no adapter.
    """
    found = []

    def replace(layer):
        if not isinstance(layer, LowRankDense):
            return layer
        found.append(layer)
        return layer.to_dense()

    def release(network):
        if not isinstance(network, PartlyFrozen):
            return network
        network = keras.Model(network.input, network.output, name=network.name)
        # The model itself is trainable already, which would be of no effect.
        for layer in network._flatten_layers():
            layer.trainable = True
        return network

    merged = _rebuild(model, replace, release)
    if not found:
        raise ValueError(
            "Expected a model with low-rank adapters, see `adapt`. "
            f"Received: model={model.name!r}."
        )
    return merged


def freeze(
    model: keras.Model, frozen: Sequence[str], trained: Sequence[str] = ()
) -> keras.Model:
    """The same network, some of whose layers never learn.

    Unlike `layer.trainable = False` it outlasts `.keras` files and a model around it
    that is set to `trainable`, as `fit_stages` does.

        encoder = freeze(load("bert-base"), ["embeddings.*", "encoder.layer.[0-5].*"])
        late_fusion.build(..., towers={"review": pretrained.builder(encoder)})

    Args:
        model: A functional model, such as an encoder or a tower.
        frozen: Patterns of the paths of layers, see `PartlyFrozen.freeze`.
        trained: Patterns of layers that learn nevertheless.

    Returns:
        A functional `keras.Model` that shares all layers with the one given.

    Raises:
        ValueError: If a pattern matches no layer.
    """
    return partly_frozen(model, frozen, trained)


def partly_frozen(network, frozen, trained=()):
    """A network with rules, which shares its layers."""
    held = PartlyFrozen(network.input, network.output, name=network.name)
    held.freeze(frozen, trained)
    return held


def _rebuild(
    model: keras.Model,
    replace: Callable[[Any], Any],
    finish: Callable[[keras.Model], keras.Model],
    only: Collection[str] | None = None,
) -> keras.Model:
    """A functional model of the same graph with other layers, inside networks too.

    A network in which nothing changes stays the same object.
    """
    changed: dict[int, Any] = {}

    def change(layer):
        if id(layer) in changed:
            return changed[id(layer)]
        if only is not None and layer.name not in only:
            return layer
        if isinstance(layer, keras.Model):
            found = _rebuild(layer, replace, finish)
        else:
            found = replace(layer)
        changed[id(layer)] = found
        return found

    new = {id(layer): change(layer) for layer in model.layers}
    if all(new[id(layer)] is layer for layer in model.layers):
        return model
    # Of a model that is not compiled: Keras would compile the clone likewise.
    kind = type(model) if isinstance(model, (TaskModel, PartlyFrozen)) else keras.Model
    clone = keras.models.clone_model(
        kind(model.input, model.output, name=model.name),
        clone_function=lambda layer: new.get(id(layer), layer),
        call_function=lambda layer, *args, **kwargs: layer(*args, **kwargs),
    )
    if isinstance(model, PartlyFrozen):
        clone.freeze(model.frozen, model.trained)
    return finish(clone)


def _ends_with(name, ends):
    return any(name == end or name.endswith(f".{end}") for end in ends)


def _dense_names(model):
    return [x.name for x in model._flatten_layers() if isinstance(x, layers.Dense)]
