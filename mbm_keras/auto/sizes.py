"""Sizes of the arrays, from a look into the files of a column."""

import contextlib
import io
import math
import statistics

_NUM_FILES = 200  # files of a column that are looked at
_NUM_LISTS = 1_000  # lists of numbers, likewise
_NUM_TEXTS = 10_000  # texts of a column, spread evenly over the rows
_TEXT, _LONG_TEXT = 256, 1_024  # words of a text: those of `WordIds`, and the most
_LONGEST_SPEECH = 30.0  # seconds
_MOST_WORDS = 20_000_000  # of all texts: two cores train on them in an hour


def open_some_files(table, name):
    """Up to some hundred files of a column, spread evenly over the rows.

    Args:
        table: A `data_pipelines.tables.table.Table`.
        name: Name of the column.

    Yields:
        The bytes of each readable file, as a binary stream.
    """
    from data_pipelines import stores

    cells = table.raw(name).unique(maintain_order=True).drop_nulls()
    for cell in cells.gather_every(max(1, len(cells) // _NUM_FILES)):
        with contextlib.suppress(stores.Unreadable):
            yield io.BytesIO(table.store.get(table.source_column(name), cell))


def text_length(texts):
    """Words of a text, where more than those of `WordIds` are needed.

    99 % of the texts fit without being cut, as long as the table has no more than some
    million words, and a text 1,024.

    Args:
        texts: `(rows,)` strings.

    Returns:
        The number, None where that of `WordIds` is enough; and the share of the texts
        that fit.
    """
    import numpy as np

    from mbm_keras.preprocessing.words import count_words

    every = -(-len(texts) // _NUM_TEXTS) or 1
    words = count_words(texts[::every])
    words = words[words > 0]
    if len(words) == 0:
        return None, 1.0
    most = max(_TEXT, min(_LONG_TEXT, _MOST_WORDS // (every * len(words))))
    needed = int(np.quantile(words, 0.99, method="higher"))
    if needed <= _TEXT or most == _TEXT:
        return None, 1.0
    length = min(most, -(-needed // 64) * 64)
    return length, float((words <= length).mean())


def vector_size(texts):
    """How many numbers most lists have.

    Args:
        texts: Lists of numbers, as text.

    Raises:
        ValueError: If there is no list of numbers.
    """
    import polars as pl

    from data_pipelines.tables.cell_text import count_numbers

    texts = pl.Series(texts[:_NUM_LISTS], dtype=pl.String)
    counts = count_numbers(texts.filter(texts != ""))
    if len(counts) == 0 or counts.max() == 0:
        raise ValueError(
            "Expected lists of numbers, such as [0.5, 1]. Received: "
            f"{texts.head(3).to_list()}."
        )
    return int(counts.mode().max())


def image_size(files):
    """Height and width of the square that images are resized to, in pixels.

    That of the median image, between 32 and 128, in steps of 16: smaller images gain
    nothing by being enlarged; 128 is what two cores train in minutes.
    """
    from data_pipelines.formats import picture

    found = [picture.size_of(file.getvalue()) for file in files]
    sides = [sum(size) / 2 for size in found if size is not None]
    side = statistics.median(sides) if sides else 64
    return int(min(128, max(32, 16 * round(side / 16))))


def audio_size(files):
    """Sample rate in hertz, and seconds.

    The most frequent rate, at most 16 kHz. 95 % of the sounds fit without being cut, up
    to ten seconds.
    """
    rates, seconds = _rates_and_seconds(files)
    if not rates:
        return 16_000, 1.0
    longest = sorted(seconds)[int(0.95 * (len(seconds) - 1))]
    hundredths = math.ceil(round(100 * min(10.0, max(0.1, longest)), 3))
    return min(16_000, statistics.mode(rates)), hundredths / 100


def speech_size(files):
    """Sample rate in hertz, and seconds that hold every sound, up to half a minute.

    The most frequent rate, at most 16 kHz. A recording that is longer than a tenth more
    than the longest of these files does not fit.
    """
    rates, seconds = _rates_and_seconds(files)
    if not rates:
        return 16_000, 1.0
    longest = min(_LONGEST_SPEECH, max(0.1, 1.1 * max(seconds)))
    return min(16_000, statistics.mode(rates)), math.ceil(100 * longest) / 100


def clip_size(files):
    """Seconds of a clip, and height and width of its frames in pixels.

    90 % of the clips fit without being cut, up to ten seconds. The side is that of the
    median frame, between 32 and 64, in steps of 16.
    """
    from data_pipelines.formats import video

    seconds, sides = [], []
    for file in files:
        try:
            header = video.probe(file.getvalue())
        except ValueError:
            continue  # decoding reports what is wrong with it
        if header["seconds"] and header["side"]:
            seconds.append(header["seconds"])
            sides.append(header["side"])
    if not sides:
        return 1.0, 64
    longest = sorted(seconds)[int(0.9 * (len(seconds) - 1))]
    side = int(min(64, max(32, 16 * round(statistics.median(sides) / 16))))
    return round(min(10.0, max(0.1, longest)), 2), side


def point_stride(files):
    """Numbers per point of a file without a header: 5 as in nuScenes, or 4 as in KITTI.

    Five where all files have a size that fits, else four.
    """
    sizes = {len(file.getvalue()) for file in files}
    return 5 if sizes and all(size % 20 == 0 for size in sizes) else 4


def _rates_and_seconds(files):
    from data_pipelines.formats import sound

    rates, seconds = [], []
    for file in files:
        rate, duration = sound.probe(file.getvalue()) or (0, 0.0)
        if 0 < rate <= sound.MAX_RATE and duration > 0:  # else decoding says why
            rates.append(rate)
            seconds.append(duration)
    return rates, seconds
