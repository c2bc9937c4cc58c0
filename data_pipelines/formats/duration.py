"""How long a sound or a clip is, from its header alone."""

import io

from data_pipelines.formats import kinds
from data_pipelines.formats import video


def seconds_of(data: bytes) -> float | None:
    """Length of a sound or a clip in seconds; None if its header does not say.

    Args:
        data: The bytes of a file.
    """
    import soundfile

    head = data[: kinds.HEAD]
    kind = kinds.kind_of(head)
    if kind == "audio":
        try:
            info = soundfile.info(io.BytesIO(data))
            return info.frames / info.samplerate
        except (soundfile.LibsndfileError, ZeroDivisionError):
            pass  # the decoder says what is wrong with it
    if kind in ("audio", "video"):
        try:
            return video.probe(data)["seconds"]
        except (ValueError, ImportError):
            pass
    return None
