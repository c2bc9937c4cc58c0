"""A published encoder, or a pair of them, with its weights, from a folder."""

import contextlib
import dataclasses
import os
import warnings
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import keras

from mbm_keras.encoders import ast
from mbm_keras.encoders import bert
from mbm_keras.encoders import clap_audio
from mbm_keras.encoders import clap_text
from mbm_keras.encoders import clip_image
from mbm_keras.encoders import clip_text
from mbm_keras.encoders import dinov2
from mbm_keras.encoders import distilbert
from mbm_keras.encoders import efficientnet_lite
from mbm_keras.encoders import modernbert
from mbm_keras.encoders import mpnet
from mbm_keras.encoders import siglip_image
from mbm_keras.encoders import siglip_text
from mbm_keras.encoders import swin
from mbm_keras.encoders import torchvision_resnet
from mbm_keras.encoders import vit
from mbm_keras.encoders import wav2vec2
from mbm_keras.encoders import whisper
from mbm_keras.weights.assign import Tensors
from mbm_keras.weights.assign import assign
from mbm_keras.weights.folder import TIMM
from mbm_keras.weights.folder import Folder
from mbm_keras.weights.folder import open_folder
from mbm_keras.weights.pairs import is_pair
from mbm_keras.weights.pairs import join
from mbm_keras.weights.pairs import read_pair
from mbm_keras.weights.safetensors import open_tensors
from mbm_keras.weights.sentence import pooling_of


@dataclasses.dataclass(frozen=True)
class Family:
    """How a kind of checkpoint becomes an encoder.

    Args:
        build: Builder of the encoder.
        from_config: Arguments of the builder from the entries of `config.json`.
        prefix: What the names of tensors begin with in a checkpoint that has the head
            of a task.
        others: What the names of tensors begin with that belong to another part of the
            checkpoint; not using them is not worth a warning.
    """

    build: Callable[..., keras.Model]
    from_config: Callable[[Mapping[str, Any]], dict[str, Any]]
    prefix: str = ""
    others: tuple[str, ...] = ()


# By `model_type` and part. Most checkpoints have one part, the encoder.
ENCODER = "encoder"
FAMILIES: dict[tuple[str, str], Family] = {
    ("bert", ENCODER): Family(bert.build, bert.from_config, "bert."),
    ("camembert", ENCODER): Family(bert.build, bert.from_config, "roberta."),
    ("audio-spectrogram-transformer", ENCODER): Family(
        ast.build, ast.from_config, "audio_spectrogram_transformer."
    ),
    ("clap", "audio"): Family(
        clap_audio.build, clap_audio.from_config, others=("text_", "logit_scale")
    ),
    ("clap", "text"): Family(
        clap_text.build,
        clap_text.from_config,
        "text_model.",
        ("audio_", "logit_scale"),
    ),
    ("clip", "image"): Family(
        clip_image.build, clip_image.from_config, others=("text_", "logit_scale")
    ),
    ("clip", "text"): Family(
        clip_text.build,
        clip_text.from_config,
        others=("vision_", "visual_", "logit_scale"),
    ),
    ("clip_text_model", "text"): Family(clip_text.build, clip_text.from_config),
    ("clip_vision_model", "image"): Family(clip_image.build, clip_image.from_config),
    ("deit", ENCODER): Family(vit.build, vit.from_config, "deit."),
    ("dinov2", ENCODER): Family(dinov2.build, dinov2.from_config, "dinov2."),
    ("dinov2_with_registers", ENCODER): Family(
        dinov2.build, dinov2.from_config, "dinov2_with_registers."
    ),
    ("distilbert", ENCODER): Family(
        distilbert.build, distilbert.from_config, "distilbert."
    ),
    ("efficientnet_lite", ENCODER): Family(
        efficientnet_lite.build, efficientnet_lite.from_config
    ),
    ("hubert", ENCODER): Family(wav2vec2.build, wav2vec2.from_config, "hubert."),
    ("modernbert", ENCODER): Family(modernbert.build, modernbert.from_config, "model."),
    ("mpnet", ENCODER): Family(mpnet.build, mpnet.from_config, "mpnet."),
    ("roberta", ENCODER): Family(bert.build, bert.from_config, "roberta."),
    ("siglip", "image"): Family(
        siglip_image.build, siglip_image.from_config, others=("text_", "logit_")
    ),
    ("siglip", "text"): Family(
        siglip_text.build, siglip_text.from_config, others=("vision_", "logit_")
    ),
    ("swin", ENCODER): Family(swin.build, swin.from_config, "swin."),
    (TIMM, ENCODER): Family(torchvision_resnet.build, torchvision_resnet.from_config),
    ("vit", ENCODER): Family(vit.build, vit.from_config, "vit."),
    ("wav2vec2", ENCODER): Family(wav2vec2.build, wav2vec2.from_config, "wav2vec2."),
    ("whisper", ENCODER): Family(
        whisper.build,
        whisper.from_config,
        "model.",
        ("decoder.", "model.decoder.", "proj_out"),
    ),
    ("xlm-roberta", ENCODER): Family(bert.build, bert.from_config, "roberta."),
}


def load(
    folder: str | os.PathLike | Folder,
    *,
    part: str | None = None,
    changes: Mapping[str, Any] | None = None,
    dtype: str | None = None,
) -> keras.Model:
    """Builds the encoder of a checkpoint, with its weights.

    Tensors that the encoder does not use, such as the head of a task, are named in a
    warning.

    Args:
        folder: A folder of a Hugging Face checkpoint, see `open_folder`.
        part: Which encoder of a checkpoint with several, such as `"text"` or `"image"`
            of CLIP; None where there is one, and for both encoders of a pair together.
        changes: Arguments of the builder that differ from the checkpoint, such as
            `image_size`, `pooling` or `dropout`; of both encoders by part, such as
            `{"image": {"image_size": (64, 64)}}`.
        dtype: Name of a Keras dtype policy, such as `"bfloat16"` or `"mixed_bfloat16"`;
            None for the global one.

    Returns:
        A functional `keras.Model`, as its builder in `mbm_keras.encoders` says; for
        both encoders as `mbm_keras.weights.pairs.join` says.

    Raises:
        ValueError: If the folder cannot be read, its family is unknown, a tensor is
            missing or has another shape, or a change is not an argument.
    """
    opened = folder if isinstance(folder, Folder) else open_folder(folder)
    if part is None and is_pair(opened.config):
        pair, changes = read_pair(opened), changes or {}
        _check_parts(changes, pair)
        halves = {
            name: load(opened, part=name, changes=changes.get(name), dtype=dtype)
            for name in pair.parts
        }
        return join(halves, pair)
    family = family_of(opened, part)
    arguments = arguments_of(opened, family, changes)
    with _policy(dtype):
        model = family.build(**arguments)
    tensors = Tensors(opened.tensors, family.prefix)
    assign(model, tensors)
    _report_unused(tensors, opened.path, family.others)
    return model


def _check_parts(changes, pair):
    if not set(changes) <= set(pair.parts):
        raise ValueError(
            f"Expected `changes` by part, {' and '.join(pair.parts)}. "
            f"Received: {', '.join(sorted(changes))}."
        )


def fill(
    encoder: keras.Model,
    file: str | os.PathLike,
    prefix: str = "",
    others: tuple[str, ...] = (),
) -> keras.Model:
    """Fills an encoder from one file, such as a state dict of torchvision or timm.

    Tensors that the encoder does not use are named in a warning.

    Args:
        encoder: What a `build` of `mbm_keras.encoders` returned.
        file: A safetensors file.
        prefix: What the names of tensors may have before those of the encoder's layers.
        others: What the names of tensors begin with whose absence in the encoder is not
            worth a warning, such as a classifier.

    Returns:
        The encoder.

    Raises:
        ValueError: If the file is not a safetensors file, or a tensor is missing or has
            another shape.
    """
    tensors = Tensors(open_tensors(file), prefix)
    assign(encoder, tensors)
    _report_unused(tensors, file, others)
    return encoder


def _report_unused(tensors, path, others=()):
    unused = [x for x in tensors.list_unused() if not x.startswith(others)]
    if unused:
        warnings.warn(
            f"{len(unused)} tensors of {path} are not used by the encoder: "
            f"{', '.join(unused[:10])}{' ...' if len(unused) > 10 else ''}",
            stacklevel=3,
        )


def family_of(folder: Folder, part: str | None = None) -> Family:
    """The family of a folder, or of one part of it.

    Raises:
        ValueError: If the family is unknown, or a part has to be chosen.
    """
    kind = folder.config["model_type"]
    parts = [name for known, name in FAMILIES if known == kind]
    if not parts:
        known_kinds = ", ".join(sorted({known for known, _ in FAMILIES}))
        raise ValueError(
            f"Expected a `model_type` of {known_kinds}. "
            f"Received: {kind!r} in {folder.path}."
        )
    if part is None and len(parts) == 1:
        (part,) = parts
    if part not in parts:
        raise ValueError(
            f"Expected a part of {kind}: {', '.join(parts)}. Received: part={part!r}."
        )
    return FAMILIES[kind, part]


def arguments_of(
    folder: Folder, family: Family, changes: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Arguments of the builder of a folder's encoder.

    Raises:
        ValueError: If an entry of the configuration is not supported, or a change is
            not an argument.
    """
    arguments = family.from_config(folder.config)
    known = family.build.__kwdefaults__ or {}
    pooling = pooling_of(folder.path) if "pooling" in known else {}
    changes = changes or {}
    unknown = set(changes) - {*arguments, *known}
    if unknown:
        raise ValueError(
            f"Expected `changes` of {', '.join(sorted({*arguments, *known}))}. "
            f"Received: {', '.join(sorted(unknown))}."
        )
    return {**arguments, **pooling, **changes}


@contextlib.contextmanager
def _policy(dtype: str | None) -> Iterator[None]:
    """The dtype policy of the layers that are built inside."""
    before = keras.config.dtype_policy()
    if dtype is not None:
        keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
