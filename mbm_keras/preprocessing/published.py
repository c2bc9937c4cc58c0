"""Preprocessors with the settings that the folder of a published model has."""

import json
import pathlib
import re
from collections.abc import Callable
from typing import Any

from mbm_keras.preprocessing.clap_mel import ClapLogMel
from mbm_keras.preprocessing.filter_banks import FilterBanks
from mbm_keras.preprocessing.normalized_wave import NormalizedWaveform
from mbm_keras.preprocessing.protocols import Preprocessor
from mbm_keras.preprocessing.published_pixels import PublishedPixels
from mbm_keras.preprocessing.whisper_mel import WhisperLogMel

SOUNDS: dict[str, Callable[[dict], Preprocessor]] = {
    "ASTFeatureExtractor": FilterBanks.from_extractor,
    "ClapFeatureExtractor": ClapLogMel.from_extractor,
    "Wav2Vec2FeatureExtractor": NormalizedWaveform.from_extractor,
    "WhisperFeatureExtractor": WhisperLogMel.from_extractor,
}
IMAGES = ("Bit", "CLIP", "ChineseCLIP", "DeiT", "Siglip", "ViT")
_FILES = ("preprocessor_config.json", "processor_config.json")


def preprocessor_from_folder(folder: str | pathlib.Path) -> Preprocessor:
    """What makes raw images or sounds the input of a published encoder.

    Sizes, means, filters and mel bands are those that the folder states.

    Args:
        folder: Folder in the layout of Hugging Face, with `preprocessor_config.json`
            or `processor_config.json`.

    Returns:
        A `PublishedPixels`, `FilterBanks`, `ClapLogMel`, `NormalizedWaveform` or
        `WhisperLogMel`.

    Raises:
        ValueError: If there is no such file, it is not JSON, or names a kind that is
            not known.
    """
    config = read_settings(folder)
    types = (config.get("image_processor_type"), config.get("feature_extractor_type"))
    kind = next((str(x) for x in types if x), "")
    if kind in SOUNDS:
        return SOUNDS[kind](config)
    image = re.fullmatch(r"(\w+?)(ImageProcessor(Fast|Pil)?|FeatureExtractor)", kind)
    if image is not None and image[1] in IMAGES:
        return PublishedPixels.from_processor(config)
    known = [*SOUNDS, *(f"{name}ImageProcessor" for name in IMAGES)]
    raise ValueError(
        f"Expected a preprocessor of: {', '.join(known)}. "
        f"Received: folder={folder}, kind={kind!r}."
    )


def read_settings(folder: str | pathlib.Path) -> dict[str, Any]:
    """The settings of images or sounds in a folder.

    Args:
        folder: As for `preprocessor_from_folder`.

    Raises:
        ValueError: If there is no file of settings, or it is not a JSON object.
    """
    paths = [pathlib.Path(folder, name) for name in _FILES]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise ValueError(
            f"Expected a folder with {' or '.join(_FILES)}. Received: folder={folder}."
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"Expected JSON. Received: file={path}, {error}.") from None
    if not isinstance(config, dict):
        raise ValueError(f"Expected a JSON object. Received: file={path}.")
    for part in ("image_processor", "feature_extractor"):  # of a processor of several
        if isinstance(config.get(part), dict):
            return config[part]
    return config
