"""Published pairs of encoders, CLIP, SigLIP and CLAP, whose embeddings are compared."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from mbm_keras.layers import PairLogits
from mbm_keras.weights.folder import Folder

TEXT = "text"
# By `model_type`: the part next to the texts; the loss; and the tensors with the scale
# of the logits of texts, with that of the other part's, and with the bias.
_KINDS: dict[str, tuple[str, str, str, str, str | None]] = {
    "clap": ("audio", "clip", "logit_scale_t", "logit_scale_a", None),
    "clip": ("image", "clip", "logit_scale", "logit_scale", None),
    "siglip": ("image", "siglip", "logit_scale", "logit_scale", "logit_bias"),
}


@dataclasses.dataclass(frozen=True)
class Pair:
    """How a checkpoint compares its two embeddings.

    Args:
        other: The part next to the texts, `"image"` or `"audio"`.
        loss: What it was trained with, see `mbm_keras.tasks.Association`.
        log_scales: By part, the logarithm of the scale of its logits; CLAP has two.
        bias: What is added to the logits.
    """

    other: str
    loss: str
    log_scales: Mapping[str, float]
    bias: float

    @property
    def parts(self) -> tuple[str, str]:
        """The texts, then the other part."""
        return TEXT, self.other


def is_pair(config: Mapping[str, Any]) -> bool:
    """Whether a checkpoint is a pair of encoders, by its `config.json`."""
    return config.get("model_type") in _KINDS


def read_pair(folder: Folder) -> Pair:
    """Reads the scales and the bias of a checkpoint.

    Args:
        folder: An opened folder.

    Raises:
        ValueError: If it is not a pair, or a tensor is missing.
    """
    kind = folder.config["model_type"]
    if kind not in _KINDS:
        raise ValueError(
            f"Expected a `model_type` of {', '.join(_KINDS)} in {folder.path}. "
            f"Received: {kind!r}."
        )
    other, loss, of_texts, of_others, bias = _KINDS[kind]
    scales = {TEXT: _number(folder, of_texts), other: _number(folder, of_others)}
    return Pair(other, loss, scales, _number(folder, bias) if bias else 0.0)


def _number(folder, name):
    if name not in folder.tensors or folder.tensors[name].read().size != 1:
        raise ValueError(
            f"Expected the tensor {name!r} of one number, which compares the two "
            f"embeddings. Received: {folder.path}."
        )
    return float(folder.tensors[name].read().reshape(()))


def join(encoders: Mapping[str, keras.Model], pair: Pair) -> keras.Model:
    """Both encoders in one model, and the logits between all of their values.

    Args:
        encoders: Encoders by part.
        pair: What `read_pair` returned.

    Returns:
        A functional `keras.Model`.
        Inputs: those of the encoders.
        Outputs, by part: `text_embedding` and `image_embedding` (or `audio_...`),
        `(batch, width)` float32 of length 1; `logits_per_text` `(texts, images)` and
        `logits_per_image` `(images, texts)` float32. Call the model, as in `model(x)`,
        where there are more texts than images: `predict` wants as many.
    """
    embedded = {part: encoders[part].output["embedding"] for part in pair.parts}
    outputs = {
        f"{part}_embedding": layers.UnitNormalization(
            dtype="float32", name=f"{part}_embedding"
        )(x)
        for part, x in embedded.items()
    }
    for part, other in (pair.parts, pair.parts[::-1]):
        name = f"logits_per_{part}"
        logits = PairLogits(pair.log_scales[part], pair.bias, name=name)
        outputs[name] = logits(embedded[part], embedded[other])
    inputs = [x for part in pair.parts for x in encoders[part].inputs]
    return keras.Model(inputs, outputs, name="pair")
