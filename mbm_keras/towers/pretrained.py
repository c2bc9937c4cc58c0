"""Tower of any modality: a published encoder with its weights, or any Keras network.

Source: the paper of each encoder, see `mbm_keras.encoders`; networks of
`keras.applications`, https://keras.io/api/applications/, and backbones of `keras_hub`,
https://keras.io/keras_hub/. Deviation: a dense layer after the encoder.
"""

import functools
import inspect
import os
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import TypeAlias

import keras
from keras import layers
from keras import ops

from mbm_keras.encoders import bert
from mbm_keras.inputs import tower_name
from mbm_keras.layers import AddPositions
from mbm_keras.layers import AttachMask
from mbm_keras.layers import MaskedMean
from mbm_keras.layers import PartlyFrozen
from mbm_keras.layers import PixelValues
from mbm_keras.weights import Folder
from mbm_keras.weights import load
from mbm_keras.weights import open_folder
from mbm_keras.weights.load import family_of

Encoder: TypeAlias = (
    "str | os.PathLike | Folder | keras.Model | Callable[[], keras.Model]"
)

UNUSED_IDS = 256  # at most so many rows of an embedding are not in the vocabulary
PRESETS = {
    "tiny": dict(
        encoder=functools.partial(bert.build, **bert.PRESETS["tiny"].arguments), width=8
    )
}
_DROPOUTS = (layers.AlphaDropout, layers.Dropout, layers.GaussianDropout)
_TEXT = "token_ids"
_MASKS = ("mask", "padding_mask")
_SEGMENTS = "segment_ids"
_SEQUENCES = ("sequence", "sequence_output")
_EMBEDDINGS = ("embedding", "pooled_output")
# What preprocessors call the axes of an input, by the name of the encoder's input.
_AXES = {"spectrogram": ("frames", "num_mel_bins"), "samples": ("samples",)}


def build(
    *,
    encoder: Encoder,
    part: str | None = None,
    changes: Mapping[str, Any] | None = None,
    frozen: bool = False,
    normalized: bool = True,
    vocabulary_size: int | None = None,
    size: int | None = None,
    width: int | None = None,
    dropout: float = 0.0,
    pool: bool = True,
    name: str = "text",
) -> keras.Model:
    """Builds the tower.

    Args:
        encoder: A folder with a published checkpoint; or a network: an encoder of
            `mbm_keras.encoders`, a backbone of `keras_hub`, a network of
            `keras.applications` without its top; or what makes one, without arguments.
        part: Which encoder of a folder with several, see `mbm_keras.weights.load`.
        changes: Arguments of a folder's encoder that differ from the checkpoint.
        frozen: bool. True to keep the weights of the encoder constant, without dropout
            and with batch normalization in inference mode. A network that is given is
            changed to it.
        normalized: bool. False for images in [0, 255] or [0, 1], which are then
            normalized with the mean and standard deviation that the folder states; True
            for images that are normalized before, and for other inputs.
        vocabulary_size: int > 0, number of ids of the text, padding included; it is
            compared with the encoder's. None for no text, or not to compare.
        size: int > 0, height and width of an image; a folder's positions are
            interpolated for it. None for no image, or the encoder's own size.
        width: int > 0, width of the output; None for that of the encoder, without a
            dense layer.
        dropout: float in [0, 1), dropout rate before the dense layer.
        pool: bool. True for the embedding, False for one vector per token or region.
        name: str, name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: for text `(batch, steps)` int32, `1 + id` of each token and 0 =
        padding; else as the encoder's input: `(batch, size, size, 3)`,
        `(batch, frames, num_mel_bins)` or `(batch, samples)` float32.
        Output: `(batch, width)` float32 if `pool`, else `(batch, steps, width)`, with
        the Keras mask `(batch, steps)` if the encoder has one.

    Raises:
        ValueError: If the folder cannot be loaded; the vocabulary is not that of the
            encoder; the network has other inputs or outputs than described; images are
            to be normalized and the folder does not say how.
    """
    folder = _open(encoder)
    network = _network(encoder if folder is None else folder, part, changes, size)
    _check_vocabulary(network, vocabulary_size)
    if frozen:  # else it may be frozen in part
        network = _freeze(network)

    # Inputs of the encoder
    main = _main_input(network)
    shape = main.shape[1:] if size is None else (size, size, main.shape[-1])
    is_text = main.name == _TEXT
    dtype = "int32" if is_text else "float32"
    inner = outer = keras.Input(shape, dtype=dtype, name=name)
    if not normalized:
        inner = _normalize(inner, folder)
    features = _features(network, main, inner, _padding_id(network, folder, part))
    outputs = network(features)

    # (batch, width) or (batch, steps, width)
    x = _embedding(outputs, features) if pool else _sequence(outputs, features)
    if dropout:
        x = layers.Dropout(dropout)(x)
    if width is not None:
        x = layers.Dense(width)(x)
    return keras.Model([outer], x, name=tower_name(name))


def builder(
    encoder: Encoder,
    *,
    part: str | None = None,
    changes: Mapping[str, Any] | None = None,
    frozen: bool = False,
    normalized: bool = True,
    dropout: float = 0.0,
) -> Callable[..., keras.Model]:
    """What a model takes in `towers`: builds the tower of an input by its sizes.

        late_fusion.build(inputs=..., towers={"review": pretrained.builder("folder")})

    Args:
        encoder: As for `build`.
        part: As for `build`.
        changes: As for `build`.
        frozen: As for `build`.
        normalized: As for `build`.
        dropout: As for `build`.

    Returns:
        A function of `width`, `pool`, `name` and the sizes of an input. It raises
        `ValueError` as `build` does, and if a size is not that of the encoder.
    """

    def build_tower(*, width, pool, name, **sizes):
        tower = build(
            encoder=encoder,
            part=part,
            changes=_with_frames(encoder, part, changes, sizes),
            frozen=frozen,
            normalized=normalized,
            vocabulary_size=sizes.pop("vocabulary_size", None),
            size=sizes.pop("size", None),
            width=width,
            dropout=dropout,
            pool=pool,
            name=name,
        )
        _check_sizes(tower, sizes)
        return tower

    return build_tower


def _with_frames(encoder, part, changes, sizes):
    """Changes for the frames of an input, if a folder's encoder is built for them."""
    folder = _open(encoder) if "frames" in sizes else None
    if folder is None:
        return changes
    arguments = inspect.signature(family_of(folder, part).build).parameters
    frames = {"frames": sizes["frames"]} if "frames" in arguments else {}
    return {**frames, **(changes or {})}


def _open(encoder):
    """The folder of an encoder, None for a network."""
    if isinstance(encoder, Folder):
        return encoder
    is_path = isinstance(encoder, (str, os.PathLike))
    return open_folder(encoder) if is_path else None


def _network(encoder, part, changes, size):
    if isinstance(encoder, Folder):
        family_of(encoder, part)  # a tower is one encoder, not a pair
        changes = dict(changes or {})
        if size is not None:
            changes.setdefault("image_size", (size, size))
        return load(encoder, part=part, changes=changes)
    if part is not None or changes:
        raise ValueError(
            "Expected a folder where `part` or `changes` are given. "
            f"Received: encoder={encoder!r}, part={part!r}, changes={changes}."
        )
    network = encoder if isinstance(encoder, keras.Model) else encoder()
    if not isinstance(network, keras.Model):
        raise ValueError(
            "Expected the folder of a checkpoint, a `keras.Model`, or a function that "
            f"makes one. Received: encoder={encoder!r}."
        )
    return network


def _freeze(network):
    """The network at rest, whatever is set to train around it."""
    network = PartlyFrozen(network.input, network.output, name=network.name)
    network.freeze(["*"])
    # Keras calls the layers of a model in the mode of the outer one: `training=False`
    # in its graph is of no effect.
    for layer in network._flatten_layers():
        if isinstance(layer, _DROPOUTS):
            layer.rate = 0.0
    return network


def _main_input(network):
    """The input with the values; the others are made from it."""
    known = {*_MASKS, _SEGMENTS}
    main = [x for x in network.inputs if x.name not in known]
    if len(main) != 1:
        raise ValueError(
            "Expected a network with one input, and at most a mask and segments. "
            f"Received: inputs={[x.name for x in network.inputs]}."
        )
    return main[0]


def _check_vocabulary(network, vocabulary_size):
    tables = [x.input_dim for x in network.layers if isinstance(x, layers.Embedding)]
    if vocabulary_size is None or not tables:
        return
    rows = max(tables)  # others are of positions or segments
    ids = vocabulary_size - 1  # 0 is padding
    if not rows - UNUSED_IDS <= ids <= rows:
        raise ValueError(
            f"Expected the vocabulary of the encoder, {rows} ids. Is the tokenizer "
            f"that of another checkpoint? Received: {ids} ids."
        )


def _check_sizes(tower, sizes):
    """Compares the sizes of an input that are not arguments of `build`."""
    (only,) = tower.inputs
    for axes in _AXES.values():
        if set(sizes) == set(axes) and len(only.shape) == 1 + len(axes):
            pairs = zip(axes, only.shape[1:], strict=True)
            if all(length in (None, sizes[axis]) for axis, length in pairs):
                return
    if sizes:
        raise ValueError(
            f"Expected an input of the shape {tuple(only.shape[1:])}, as the encoder "
            f"has it. Received: {', '.join(f'{k}={v}' for k, v in sizes.items())}."
        )


def _normalize(pixels, folder):
    settings = {} if folder is None else folder.preprocessor
    settings = settings.get("image_processor", settings)
    mean, std = settings.get("image_mean"), settings.get("image_std")
    if not isinstance(mean, Sequence) or not isinstance(std, Sequence):
        raise ValueError(
            "Expected a folder whose preprocessor_config.json has `image_mean` and "
            "`image_std`, because `normalized` is False. "
            f"Received: folder={folder and str(folder.path)!r}, mean={mean}, std={std}."
        )
    scale = settings.get("rescale_factor", 1 / 255)
    return layers.Normalization(
        mean=[x / scale for x in mean], variance=[(x / scale) ** 2 for x in std]
    )(PixelValues()(pixels))


def _padding_id(network, folder, part):
    """The id that an encoder has for padding; most do not look at it."""
    if folder is not None:
        config = folder.config.get(f"{part}_config", folder.config)
        if isinstance(config.get("pad_token_id"), int):
            return config["pad_token_id"]
    known = [x.padding_id for x in network.layers if isinstance(x, AddPositions)]
    return next((x for x in known if x is not None), 0)


def _features(network, main, x, padding_id):
    """The inputs of an encoder by name."""
    if len(network.inputs) == 1 and main.name != _TEXT:
        return {main.name: x} if isinstance(network.input, Mapping) else x
    if main.name == _TEXT:
        x, valid, segments = SplitIds(padding_id)(x)
    else:
        valid, segments = BeforeEnd()(x), None
    made = {name: valid for name in _MASKS} | {_SEGMENTS: segments, main.name: x}
    names = [tensor.name for tensor in network.inputs]
    return {name: made[name] for name in names}


def _embedding(outputs, features):
    if isinstance(outputs, Mapping):
        for name in _EMBEDDINGS:
            if name in outputs:
                return outputs[name]
    elif len(outputs.shape) == 2:
        return outputs
    return MaskedMean()(_sequence(outputs, features))


def _sequence(outputs, features):
    """`(batch, steps, width)`, with a Keras mask if there is one."""
    x = outputs
    if isinstance(outputs, Mapping):
        x = next((outputs[name] for name in _SEQUENCES if name in outputs), None)
    if x is None or len(x.shape) not in (3, 4):
        raise ValueError(
            "Expected a network that gives a sequence or a feature map, because `pool` "
            f"is False. Received: {outputs}."
        )
    if len(x.shape) == 4:
        return layers.Reshape((-1, x.shape[-1]))(x)
    mask = outputs.get("mask") if isinstance(outputs, Mapping) else None
    if mask is None and isinstance(features, Mapping) and _TEXT in features:
        mask = next((features[name] for name in _MASKS if name in features), None)
    return x if mask is None else AttachMask()([x, ops.cast(mask, "bool")])


@keras.saving.register_keras_serializable(package="mbm_keras.towers.pretrained")
class SplitIds(keras.layers.Layer):
    """From `1 + id`, with 0 for padding, to ids and a mask.

    Args:
        padding_id: int >= 0, the id of padding for the encoder.

    Call arguments:
        words: `(batch, steps)` int32.

    Returns:
        Ids, `(batch, steps)` int32; the mask, `(batch, steps)` bool, False for padding;
        and segments, `(batch, steps)` int32 zeros.
    """

    def __init__(self, padding_id: int = 0, **kwargs: Any):
        super().__init__(**kwargs)
        self.padding_id = padding_id

    def call(self, words):
        valid = words > 0
        ids = ops.where(valid, words - 1, self.padding_id)
        return ops.cast(ids, "int32"), valid, ops.zeros_like(words)

    def compute_output_spec(self, words):
        return tuple(
            keras.KerasTensor(words.shape, dtype)
            for dtype in ("int32", "bool", "int32")
        )

    def get_config(self):
        return {**super().get_config(), "padding_id": self.padding_id}


@keras.saving.register_keras_serializable(package="mbm_keras.towers.pretrained")
class BeforeEnd(keras.layers.Layer):
    """Which samples of a sound are not after its last value other than zero.

    Call arguments:
        samples: `(batch, samples)` float; zeros after the end of a sound.

    Returns:
        `(batch, samples)` bool.
    """

    def call(self, samples):
        index = ops.arange(ops.shape(samples)[1])
        last = ops.max(ops.where(samples != 0, index, -1), axis=1, keepdims=True)
        return index <= last

    def compute_output_spec(self, samples):
        return keras.KerasTensor(samples.shape, "bool")
