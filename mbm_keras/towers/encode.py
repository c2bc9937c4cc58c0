"""From the inputs of a model to what their towers give."""

import inspect
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras

from mbm_keras.inputs import PRESENT
from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import input_keys
from mbm_keras.inputs import zero_absent_name
from mbm_keras.layers import ValidMask
from mbm_keras.layers import ZeroAbsent
from mbm_keras.towers import audio_cnn
from mbm_keras.towers import image_cnn
from mbm_keras.towers import points_gru
from mbm_keras.towers import points_net
from mbm_keras.towers import sequence_rnn
from mbm_keras.towers import table_mlp
from mbm_keras.towers import text_wide_deep
from mbm_keras.towers import vector_mlp
from mbm_keras.towers import video_cnn

Builder = Callable[..., keras.Model]

DEFAULTS: dict[str, Builder] = {
    "audio": audio_cnn.build,
    "image": image_cnn.build,
    "point_frames": points_gru.build,
    "points": points_net.build,
    "sequence": sequence_rnn.build,
    "table": table_mlp.build,
    "text": text_wide_deep.build,
    "vector": vector_mlp.build,
    "video": video_cnn.build,
}
MEMORY = "memory"  # the layer with what a model writes about
_OURS = ("width", "pool", "name")  # arguments of a builder other than sizes


def encode(
    spec: InputSpec,
    *,
    width: int | Mapping[str, int] | None,
    pool: bool,
    present: Any = None,
    towers: Mapping[str, Builder] | None = None,
    defaults: Mapping[str, Builder] = DEFAULTS,
) -> tuple[Any, Any]:
    """Makes the input that a spec describes, and calls its tower on it.

    Args:
        spec: The input.
        width: Size of the tower's output, or sizes by input name; None for that of a
            tower that has its own.
        pool: True for an embedding, False for a sequence.
        present: `(batch,)` bool: which rows have the input; the tower sees zeros in the
            others. None if all have it.
        towers: Builder by input name, instead of the default of the modality.
        defaults: Builder by modality.

    Returns:
        A `keras.Input` with the name `spec.key`, and a tensor `(batch, width)` or
        `(batch, n, width)`.

    Raises:
        ValueError: If there is no builder for the modality, or the sizes are not those
            that the builder takes.
    """
    build = builder_for(spec, towers, defaults)
    check_sizes(spec, build)
    width = width[spec.name] if isinstance(width, Mapping) else width
    tower = build(**spec.sizes, width=width, pool=pool, name=spec.key)

    (inner,) = tower.inputs
    outer = x = keras.Input(inner.shape[1:], dtype=inner.dtype, name=spec.key)
    if present is not None:
        x = ZeroAbsent(name=zero_absent_name(spec.key))(x, present)
    return outer, tower(x)  # (batch, width) or (batch, n, width)


def encode_all(
    specs: Sequence[InputSpec],
    *,
    width: int | Mapping[str, int] | None,
    pool: bool | Mapping[str, bool],
    presence: bool,
    towers: Mapping[str, Builder] | None = None,
    defaults: Mapping[str, Builder] = DEFAULTS,
) -> tuple[list[Any], list[Any], Any]:
    """Makes all inputs of a model, and calls their towers on them.

    Args:
        specs: The inputs.
        width: As for `encode`.
        pool: As for `encode`, or by input name.
        presence: True for one more input, `present` `(batch, n)` bool.
        towers: As for `encode`.
        defaults: As for `encode`.

    Returns:
        The list of `keras.Input`, with `present` as the last one; the list of tensors,
        one for each spec; and `present`, or None.

    Raises:
        ValueError: As for `encode`; if there is no input, two have one name, or
            `towers` has the name of none.
    """
    check_names(specs, towers)
    present: Any = None
    if presence:
        present = keras.Input((len(specs),), dtype="bool", name=PRESENT)
    inputs, encoded = [], []
    for i, spec in enumerate(specs):
        x, y = encode(
            spec,
            width=width,
            pool=pool[spec.name] if isinstance(pool, Mapping) else pool,
            present=present[:, i] if presence else None,
            towers=towers,
            defaults=defaults,
        )
        inputs.append(x)
        encoded.append(y)
    return [*inputs, present] if presence else inputs, encoded, present


def encode_memory(
    specs: Sequence[InputSpec],
    *,
    width: int,
    pool: bool = False,
    towers: Mapping[str, Builder] | None = None,
    defaults: Mapping[str, Builder] = DEFAULTS,
) -> tuple[list[Any], Any, Any]:
    """Makes the memory of a model that writes about its inputs.

    The steps of all inputs are one sequence, projected to one width and normalized.
    `memory_of` finds it in a model.

    Args:
        specs: The inputs, one or more.
        width: Size of a step.
        pool: True for one step per input, its embedding; False for its sequence.
        towers: As for `encode`.
        defaults: As for `encode`.

    Returns:
        The list of `keras.Input`; `(batch, steps, width)`; and `(batch, steps)` bool,
        False for padding.

    Raises:
        ValueError: As for `encode_all`.
    """
    tensors, encoded, _ = encode_all(
        specs,
        width=width,
        pool=pool,
        presence=False,
        towers=towers,
        defaults=defaults,
    )
    if pool:
        encoded = [keras.ops.expand_dims(x, 1) for x in encoded]
    masks = valid_masks(encoded, None)
    x = keras.ops.concatenate(encoded, axis=1) if len(encoded) > 1 else encoded[0]
    valid = keras.ops.concatenate(masks, axis=1) if len(masks) > 1 else masks[0]
    x = keras.layers.Dense(width, name="memory_projection")(x)
    x = keras.layers.LayerNormalization(epsilon=1e-5, name="memory_norm")(x)
    x, valid = keras.layers.Identity(name=MEMORY)([x, valid])
    return tensors, x, valid


def memory_of(model: keras.Model) -> tuple[list[Any], Any, Any]:
    """What `encode_memory` returned when a model was built."""
    vectors, valid = model.get_layer(MEMORY).output
    tensors = {x.name: x for x in model.inputs}
    return [tensors[key] for key in input_keys(model)], vectors, valid


def check_inputs(
    specs: Sequence[InputSpec],
    towers: Mapping[str, Builder] | None = None,
    defaults: Mapping[str, Builder] = DEFAULTS,
) -> None:
    """Checks that all inputs of a model have names, towers and sizes.

    Args:
        specs: The inputs.
        towers: As for `encode`.
        defaults: As for `encode`.

    Raises:
        ValueError: As for `encode_all`.
    """
    check_names(specs, towers)
    for spec in specs:
        check_sizes(spec, builder_for(spec, towers, defaults))


# Sizes of an input that count steps of time, by modality.
_STEPS = {
    "video": "num_frames",
    "point_frames": "num_frames",
    "audio": "frames",
    "wave": "samples",
}


def steps_of(spec: InputSpec) -> Any:
    """The steps in time of an input: frames or samples; None if batches differ."""
    return spec.sizes[_STEPS[spec.modality]]


def with_steps(spec: InputSpec, steps: int) -> dict[str, Any]:
    """The sizes of an input with another number of steps in time."""
    return {**spec.sizes, _STEPS[spec.modality]: steps}


def check_one_length(specs: Sequence[InputSpec]) -> None:
    """Checks that every batch has as many steps in time as any other.

    Raises:
        ValueError: If they differ for an input.
    """
    for spec in specs:
        if steps_of(spec) is None:
            raise ValueError(
                f"Expected input {spec.name!r} to have the same length in every batch. "
                f"Received: sizes={dict(spec.sizes)}."
            )


def check_one_spectrogram(specs: Sequence[InputSpec]) -> None:
    """Checks that a model has the spectrogram of a sound, and no other input.

    Raises:
        ValueError: If it has others, or none.
    """
    fits = [spec.modality for spec in specs] == ["audio"]
    if not fits or set(specs[0].sizes) != {"frames", "num_mel_bins"}:
        raise ValueError(
            "Expected one sound and no other input, with the sizes frames and "
            f"num_mel_bins. Received: inputs={list_inputs(specs)}, "
            f"sizes={[dict(spec.sizes) for spec in specs]}."
        )


def list_inputs(specs: Sequence[InputSpec]) -> str:
    """Names and modalities of inputs, for messages of errors."""
    return ", ".join(f"{spec.name} ({spec.modality})" for spec in specs) or "none"


def builder_for(
    spec: InputSpec,
    towers: Mapping[str, Builder] | None = None,
    defaults: Mapping[str, Builder] = DEFAULTS,
) -> Builder:
    """The builder of an input's tower.

    Raises:
        ValueError: If there is none.
    """
    build = (towers or {}).get(spec.name) or defaults.get(spec.modality)
    if build is None:
        raise ValueError(
            f"Expected a modality with a default tower, one of {sorted(defaults)}, or "
            f"a builder in `towers`. Received: name={spec.name!r}, "
            f"modality={spec.modality!r}."
        )
    return build


def check_sizes(spec: InputSpec, build: Builder) -> None:
    """Compares the sizes of an input with the arguments of its builder.

    Raises:
        ValueError: If one is missing, or is not an argument of the builder.
    """
    arguments = {
        name: parameter
        for name, parameter in inspect.signature(build).parameters.items()
        if name not in _OURS
    }
    kinds = {parameter.kind for parameter in arguments.values()}
    required = [
        name
        for name, parameter in arguments.items()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    takes_any = inspect.Parameter.VAR_KEYWORD in kinds
    unknown = (
        [] if takes_any else [name for name in spec.sizes if name not in arguments]
    )
    if unknown or not set(required) <= set(spec.sizes):
        received = ", ".join(f"{name}={value}" for name, value in spec.sizes.items())
        raise ValueError(
            f"Expected sizes of input {spec.name!r} ({spec.modality}): "
            f"{', '.join(required) or 'none'}. Received: {received or 'none'}."
        )


def check_names(specs: Sequence[InputSpec], towers: Mapping[str, Any] | None) -> None:
    """Compares the names of inputs with each other, and with those of `towers`.

    Raises:
        ValueError: If there is no input, two have one name or key, or `towers` has the
            name of none.
    """
    names = [spec.name for spec in specs]
    different = len({spec.key for spec in specs}) == len(set(names)) == len(names)
    if not names or not different or not set(towers or ()) <= set(names):
        raise ValueError(
            "Expected at least one input, each with a name and a key of its own, and "
            f"`towers` by the names of inputs. Received: inputs={names}, "
            f"keys={[spec.key for spec in specs]}, towers={sorted(towers or ())}."
        )


def valid_masks(sequences: Sequence[Any], present: Any) -> list[Any]:
    """Masks of the steps that are valid: no padding, in rows that have the input.

    Args:
        sequences: List of `n` tensors `(batch, steps_i, width)`.
        present: `(batch, n)` bool, or None if everything is present.

    Returns:
        A list of `(batch, steps_i)` bool.
    """
    return [
        ValidMask()(x, None if present is None else present[:, i])
        for i, x in enumerate(sequences)
    ]
