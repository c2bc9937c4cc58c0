"""What a column of a table can hold, written once. Imports nothing heavy."""

from data_pipelines.formats import kinds

# Modalities of columns whose cells name a file, or hold its bytes.
FILES: tuple[str, ...] = tuple(kinds.SUFFIXES)

# What each modality means, in the order in which they are listed for users.
MODALITIES: dict[str, str] = {
    "text": "sentences",
    "image": "image files, or their bytes",
    "audio": "sound files, or their bytes",
    "video": "clips, or their bytes; the sound track becomes an input of its own",
    "points": "point clouds, or their bytes",
    "page": "words of pages with their boxes: hOCR, ALTO, JSON, tables, or their bytes",
    "vector": "lists of numbers, of one length",
    "number": "numbers",
    "date": "dates or times",
    "category": "one of a few values",
    "ignore": "nothing to learn from",
}


def check(modalities: dict[str, str]) -> None:
    """Raises unless every column has a known modality.

    Args:
        modalities: Modality by name of the column.

    Raises:
        ValueError: If one is unknown.
    """
    unknown = {n: m for n, m in modalities.items() if m not in MODALITIES}
    if unknown:
        raise ValueError(
            f"Expected a modality out of {', '.join(MODALITIES)}. Received: "
            f"{list(unknown.values())} for the columns {list(unknown)}."
        )
