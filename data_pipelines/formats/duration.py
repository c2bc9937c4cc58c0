"""How long a sound or a clip is, from its header alone."""

from data_pipelines.formats import kinds
from data_pipelines.formats import sound
from data_pipelines.formats import video


def seconds_of(data: bytes) -> float | None:
    """Length of a sound or a clip in seconds; None if its header does not say.

    Args:
        data: The bytes of a file.
    """
    kind = kinds.kind_of(data[: kinds.HEAD])
    if kind == "audio":
        found = sound.probe(data)
        return None if found is None else found[1]
    if kind == "video":
        try:
            return video.probe(data)["seconds"]
        except (ValueError, ImportError):
            pass  # the decoder says what is wrong with it
    return None
