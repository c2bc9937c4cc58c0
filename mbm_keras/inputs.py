"""What a model must know of its inputs, and every name that is made from theirs.

A user's column may be called anything: `present`, `text_tower`, `Review Text`, `1text`.
Graphs and files need plain identifiers, and the library adds names of its own: a tower
per input, an input for presence. This module owns all of them, so that no other module
joins or splits names:

    key(s)            the name of an input in graphs, made from the column's name
    tower_name(key)   the layer that encodes an input
    index_name(key)   the input with the position of each row's value, see `unique=True`
    PRESENT           the input that says which inputs each row has
    VALID             in batches of equal size, which rows are rows of the data

`keys` chooses keys so that none of these names meets another. A key equals the column's
name wherever that is a plain identifier and no other name needs it.
"""

import dataclasses
import keyword
import re
import types
import unicodedata
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

PRESENT = "present"  # the input `(batch, n)` bool: which inputs each row has
VALID = "valid:row"  # `(batch,)` bool, False for padding; no key has a colon
RESERVED = frozenset({
    PRESENT, "answered", "embed_image", "embed_text", "labels", "prompt",
    # Layers of models.
    "bottleneck", "decode", "film", "fused", "fusion", "hidden", "latents",
    "memory", "memory_norm", "memory_projection", "modality_dropout", "norm",
    "pooler", "pooler_norm", "pooler_queries", "posterior_mean", "query", "read",
})  # fmt: skip
# Layers and operations that get their name from Keras, with a number or without.
_AUTOMATIC = frozenset({
    "add", "add_contrast", "after_start", "any", "attach_mask", "attention",
    "attention_block", "average", "batch_normalization", "bidirectional",
    "calibrated_mean", "caption_decoder", "cast", "category_tokens", "clip_values",
    "co_attention", "complex_masks", "concatenate", "conformer_block",
    "contrastive_decoder", "conv1d", "conv2d", "dense", "divergence", "dropout",
    "expand_dims", "fitted_grams", "fitted_linear", "fitted_trees", "flatten",
    "full_like", "functional", "gelu", "get_item", "global_average_pooling1d",
    "global_max_pooling1d", "global_max_pooling2d", "gradient_scale", "greater",
    "identity", "image_statistics", "last_step", "layer_normalization",
    "learned_tokens", "log_mel_of_samples", "logical_and",
    "masked_batch_normalization", "masked_mean", "matrix_interaction",
    "max_pooling2d", "maximum", "mean", "mean_of_crops", "member", "member_dense",
    "member_mean", "min", "minimum", "mixture_of_experts", "multiply",
    "nearest_frames", "normalize_frames", "not_equal", "number_embedding",
    "one_hot", "ones_like", "pad_steps", "permute", "pixel_values",
    "position_and_modality", "product_of_experts", "re_lu", "repeat_vector",
    "rescaling", "reshape", "sample", "scalar_interaction", "scale_and_position",
    "sentence_pool", "sequence_generator", "sinusoids", "softmax", "spectrogram",
    "spectrogram_statistics", "split", "sqrt", "square", "stack", "step_mask",
    "subtract", "sum", "take", "take_crops", "time_distributed",
    "transformer_decoder", "true_divide", "unbiased_norm", "unit_normalization",
    "valid_mask", "vector_interaction", "waves", "where", "with_coordinates",
    "with_sentence", "word_mask", "zero_absent", "zero_padding1d", "zero_padding2d",
    "zeros_like", "box_codes", "from_windows", "layout_bias", "layout_block",
    "move_boxes", "sample_grid", "to_windows", "max",
})  # fmt: skip
_MAX_KEY = 64  # characters; TensorFlow and file systems limit the length of names
_TEACHER = "_teacher"  # no key ends with it
_SUFFIXES = (
    "tower", "index", "gradient", "placeholder", "present", "decoder", "reconstruction",
    "projection", "linear", "boosting", "forest",
)  # fmt: skip


def tower_name(key: str) -> str:
    """Name of the layer that encodes an input."""
    return f"{key}_tower"


def index_name(key: str) -> str:
    """Name of the input that says which unique value each row has."""
    return f"{key}_index"


def gradient_name(key: str) -> str:
    """Name of the layer after a tower that scales its gradient."""
    return f"{key}_gradient"


def placeholder_name(key: str) -> str:
    """Name of the layer that replaces the embedding of an absent input."""
    return f"{key}_placeholder"


def zero_absent_name(key: str) -> str:
    """Name of the layer before a tower that zeros the rows without the input."""
    return f"{key}_present"


def projection_name(key: str) -> str:
    """Name of the layer that maps an input's embedding to the width of all."""
    return f"{key}_projection"


def embedding_name(key: str) -> str:
    """Name of the output with the embedding of an input, and of its endpoint."""
    return f"embed_{key}"


def decoder_name(key: str) -> str:
    """Name of the layer that reconstructs an input."""
    return f"{key}_decoder"


def reconstruction_name(key: str) -> str:
    """Name of the layer that compares an input with its reconstruction."""
    return f"{key}_reconstruction"


def fitted_name(key: str, kind: str) -> str:
    """Name of a head of an input that is fitted, see `mbm_keras.towers.fitted`.

    Args:
        key: The input.
        kind: `"linear"`, `"boosting"` or `"forest"`.
    """
    return f"{key}_{kind}"


def unimodal_output_name(key: str, output: str) -> str:
    """Name of the output of an input's own head."""
    return f"{key}_{output}"


def fused_output_name(output: str) -> str:
    """Name of the output of the fusion's head, next to those of the inputs."""
    return f"fused_{output}"


def output_name(output: str, inputs: Iterable["InputSpec"] = ()) -> str:
    """Name of the layer that gives an output: no input and no layer of one has it.

    Args:
        output: Name of the output, any text.
        inputs: The inputs of the model.
    """
    return output_names([output], [spec.key for spec in inputs])[output]


def output_names(
    outputs: Iterable[str], input_keys: Iterable[str] = ()
) -> dict[str, str]:
    """Names of the layers that give several outputs, see `output_name`.

    Args:
        outputs: Names of the outputs, any text. The first has the name that it has
            alone.
        input_keys: Keys of the inputs of the model.

    Returns:
        Name of the layer by output, no two alike.
    """
    taken = [name for key in input_keys for name in names_of(key)]
    first, *others = outputs
    names = keys([first], taken, kind="output")
    taken += names_of(names[first])
    return names | keys(others, taken, kind="output")


def teacher_name(output: str) -> str:
    """Name of the input with the target, for a model that writes it token by token."""
    return f"{output_name(output)}{_TEACHER}"


def input_keys(model: Any) -> list[str]:
    """Keys of a model's inputs, in the order of the columns of `present`.

    The inputs that the library adds are not among them: presence, the positions of
    unique values, and the words of the target.

    Args:
        model: A functional `keras.Model` with named inputs.
    """
    names = [tensor.name for tensor in model.inputs]
    layers = {layer.name for layer in model.layers}
    outputs = model.output if isinstance(model.output, dict) else {}
    added = {PRESENT, *(index_name(name) for name in names if has_index(model, name))}
    added |= {
        name for name in map(teacher_name, outputs) if tower_name(name) not in layers
    }
    return [name for name in names if name not in added]


def has_index(model: Any, key: str) -> bool:
    """Whether the tower of an input sees each unique value once, see `unique=True`.

    Args:
        model: A functional `keras.Model` with named inputs.
        key: The input.
    """
    name = index_name(key)  # an index has one number per row, other inputs have more
    return any(x.name == name and len(x.shape) == 1 for x in model.inputs)


def towers_of(model: Any) -> dict[str, Any]:
    """The towers of a model by the key of their input, in the order of the inputs.

    Args:
        model: A functional `keras.Model` with named inputs.
    """
    layers = {layer.name: layer for layer in model.layers}
    return {
        key: layers[tower_name(key)]
        for key in input_keys(model)
        if tower_name(key) in layers
    }


def keys(
    names: Iterable[str], taken: Iterable[str] = (), kind: str = "input"
) -> dict[str, str]:
    """Keys of columns: plain identifiers, different from every derived name.

    The keys depend on the names and their order alone.

    Args:
        names: Names of the columns, without repetition.
        taken: Other names that no key may be, such as those of outputs.
        kind: What is appended to a name that is not free.

    Returns:
        Key by name: an ASCII identifier that is unique without regard to case.
    """
    chosen: dict[str, str] = {}
    used = {name.lower() for name in (*RESERVED, *taken)}
    names = list(names)
    derived = {made.lower() for name in names for made in names_of(name)[1:]}

    def priority(name):
        # Plain names first: they keep their name whatever else is in the table. After
        # them the names that the library would make from one of them.
        return _identifier(name) != name, name.lower() in derived

    for name in sorted(names, key=priority):
        base = key = _identifier(name)
        number = 1
        while not _is_free(key, used):
            number += 1
            key = f"{base}_{kind}" if number == 2 else f"{base}_{kind}_{number}"
        used |= {name.lower() for name in names_of(key)}
        chosen[name] = key
    return {name: chosen[name] for name in names}


def names_of(key: str) -> list[str]:
    """A key and every name that is made from it."""
    return [key, *(f"{key}_{suffix}" for suffix in _SUFFIXES)]


def _is_free(key, used):
    if key.lower().endswith(_TEACHER):
        return False
    automatic = re.sub(r"_\d+$", "", key.lower())
    if automatic in _AUTOMATIC or automatic.endswith("_fusion"):
        return False
    return used.isdisjoint(name.lower() for name in names_of(key))


def _identifier(name):
    if re.fullmatch(r"[A-Za-z][0-9A-Za-z_]*", name):
        plain = name
    else:
        letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        plain = re.sub(r"[^0-9A-Za-z]+", "_", letters).strip("_") or "column"
    if plain[0].isdigit():
        plain = f"c{plain}"
    # Arguments of a signature cannot be called so.
    if keyword.iskeyword(plain) or plain == "self":
        plain = f"{plain}_input"
    return plain[:_MAX_KEY]


@dataclasses.dataclass(frozen=True)
class InputSpec:
    """One input of a model.

    Args:
        name: Name of the input, as the user's column is called.
        modality: `"text"`, `"image"`, `"audio"`, `"video"`, `"points"`, `"table"`,
            `"vector"` or `"sequence"`, or another one that has a tower of its own.
        sizes: What a tower of that modality must know, such as `vocabulary_size`.
        key: Name of the input in graphs; empty for one made from `name` alone. Use
            `keys` where there are several inputs.

    Raises:
        ValueError: If the modality is empty.
    """

    name: str
    modality: str
    sizes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    key: str = ""

    def __post_init__(self):
        if not self.modality:
            raise ValueError(
                "Expected a modality. Received: "
                f"name={self.name!r}, modality={self.modality!r}."
            )
        object.__setattr__(self, "sizes", types.MappingProxyType(dict(self.sizes)))
        if not self.key:
            object.__setattr__(self, "key", keys([self.name])[self.name])

    @property
    def tower(self) -> str:
        """Name of the layer that encodes this input."""
        return tower_name(self.key)
