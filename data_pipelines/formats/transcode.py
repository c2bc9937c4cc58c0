"""Bytes of a file to bytes that a model's own graph can decode."""

from typing import Any

from data_pipelines.formats import kinds
from data_pipelines.formats import other_kinds
from data_pipelines.formats import page_files
from data_pipelines.formats import pcd
from data_pipelines.formats import picture
from data_pipelines.formats import sound
from data_pipelines.formats import video


def transcode(data: bytes, modality: str, preprocessor: Any = None) -> bytes:
    """Transcodes the formats that TensorFlow cannot decode.

    Sound and the sound track of a clip become WAV, a clip becomes NPY bytes of its
    frames, PCD becomes rows of float32, words with boxes become the text of
    `Page.to_bytes`, and an image that graphs do not decode becomes PNG. Decoding,
    training and the served model then know few formats of each.
    Everything else remains unchanged.

    Args:
        data: The bytes of a file.
        modality: What the column holds: `"image"`, `"audio"`, `"video"`,
            `"points"` or `"page"`.
        preprocessor: The preprocessor that takes the bytes. It has the number and size
            of frames, or the fields of points; and where its `config` has `seconds`, no
            more of a sound is decoded. None leaves clips and points unchanged.

    Returns:
        Bytes of a file in another format, or `data`.

    Raises:
        ValueError: If `data` cannot be decoded, or is larger than allowed.
    """
    wanted = None if preprocessor is None else preprocessor.modality
    if {modality, wanted} & {"image", "audio", "video"}:
        _check_kind(data[: kinds.HEAD])
    if "audio" in (modality, wanted):
        seconds = None if preprocessor is None else preprocessor.config().get("seconds")
        return sound.to_wav(data, seconds)
    if wanted == "video":
        return video.frames(data, preprocessor)
    if wanted == "points":
        return pcd.rows(data, preprocessor)
    if "page" in (modality, wanted):
        return page_files.read_page(data).to_bytes()
    if "image" in (modality, wanted):
        limit = getattr(preprocessor, "max_pixels", picture.MAX_PIXELS)
        return picture.to_png(data, limit)
    return data


def _check_kind(head):
    """Names a file that is something else, instead of a decoder's complaint."""
    if kinds.kind_of(head) is None:
        other = other_kinds.explain_other(head)
        if other is not None:
            raise ValueError(f"the file is {other}")
