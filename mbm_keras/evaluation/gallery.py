"""One HTML page with what a search found, with its pictures inside."""

import base64
import dataclasses
import io
import mimetypes
import os
import pathlib
from collections.abc import Sequence

import jinja2
import PIL.Image

from data_pipelines import files

_SIDE = 224  # pixels of a picture
_MOST_BYTES = 2_000_000  # of a sound


@dataclasses.dataclass(frozen=True)
class Query:
    """A query and what was found.

    Args:
        text: The query: a text, or the path of a file.
        modality: Its modality.
        found: Item and score, the best first.
    """

    text: str
    modality: str
    found: Sequence[tuple[str, float]]


def write_gallery(
    path: str | os.PathLike, queries: Sequence[Query], *, modality: str, root: str
) -> None:
    """Writes a page. It needs no other file.

    Args:
        path: The HTML file to write.
        queries: What it shows.
        modality: Modality of the items: pictures and sounds are shown, others named.
        root: Folder that the paths of items are relative to.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = [
        {
            "text": query.text,
            "media": _media(query.text, query.modality, ""),
            "found": [
                {"item": item, "score": score, "media": _media(item, modality, root)}
                for item, score in query.found
            ],
        }
        for query in queries
    ]
    page = environment.get_template("gallery.html.jinja").render(
        queries=shown, modality=modality
    )
    files.write(path, page)


def _media(item, modality, root):
    """Kind and data of a picture or a sound; None for what cannot be shown."""
    path = os.path.join(root, item)
    try:
        if modality == "image":
            with PIL.Image.open(path) as picture:
                picture.thumbnail((_SIDE, _SIDE))
                data = io.BytesIO()
                picture.convert("RGBA").save(data, "PNG")
            return {"kind": "image", "source": _source("image/png", data.getvalue())}
        if modality == "audio" and os.path.getsize(path) <= _MOST_BYTES:
            kind = mimetypes.guess_type(path)[0] or "audio/wav"
            data = pathlib.Path(path).read_bytes()
            return {"kind": "audio", "source": _source(kind, data)}
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError):
        return None  # its name is shown
    return None


def _source(kind, data):
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
