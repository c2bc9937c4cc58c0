"""Intact files of every kind, whose bytes `fuzz.py` changes, and the changes."""

import pathlib

import fuzz_images
import fuzz_sounds
import numpy as np

IMAGES = tuple(fuzz_images.GENERATORS)
SOUNDS = ("WAV", "FLAC", "OGG", "MP3", *fuzz_sounds.OTHERS)
CLIPS = {
    "MP4": ("mp4", "mpeg4", "aac"),
    "SOUNDTRACK": ("mp4", "mpeg4", "aac"),
    "AVI": ("avi", "mjpeg", "pcm_s16le"),
    "MATROSKA": ("matroska", "ffv1", "flac"),
    "MPEG": ("mpeg", "mpeg2video", "mp2"),
}


def write_seeds(kind, folder):
    """Writes a few intact files of a kind to `folder`; shards are folders of files."""
    folder = pathlib.Path(folder)
    if kind in IMAGES:
        write_images(kind, folder)
    elif kind in SOUNDS:
        write_sounds(kind, folder)
    elif kind in CLIPS:
        write_clip(folder / "0", *CLIPS[kind])
    elif kind == "PCD":
        write_points(folder)
    else:
        write_tables(kind, folder)


def read_seeds(folder):
    """Intact files by their path in a folder."""
    paths = sorted(path for path in pathlib.Path(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in paths}


def write_images(kind, folder):
    """Three small images, of a palette where the kind has one."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for i, mode in enumerate(("RGB", "L", "P" if kind == "GIF" else "RGB")):
        pixels = rng.integers(0, 256, (24, 20, 3), "uint8")
        Image.fromarray(pixels).convert(mode).save(folder / f"{i}", kind)


def write_sounds(kind, folder):
    """A quarter of a second of noise, in one channel and in two."""
    import soundfile

    rng = np.random.default_rng(0)
    subtype = "PCM_16" if kind in fuzz_sounds.OTHERS else None
    for i, channels in enumerate((1, 2)):
        wave = rng.uniform(-0.5, 0.5, (4_000, channels))
        path = folder / f"{i}"
        soundfile.write(path, wave, 16_000, format=kind, subtype=subtype)


def write_clip(path, kind, picture, sound):
    """Writes half a second of noise as video and audio."""
    import av

    rng = np.random.default_rng(0)
    with av.open(str(path), "w", format=kind) as clip:
        video = clip.add_stream(picture, rate=25, width=32, height=24)
        video.pix_fmt = "yuvj420p" if picture == "mjpeg" else "yuv420p"
        audio = clip.add_stream(sound, rate=16_000, layout="mono")
        for _ in range(12):
            pixels = rng.integers(0, 256, (24, 32, 3), "uint8")
            clip.mux(video.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        clip.mux(video.encode(None))
        wave = rng.integers(-9_000, 9_000, (1, 8_000)).astype("<i2")
        samples = av.AudioFrame.from_ndarray(wave, "s16", "mono")
        samples.sample_rate, samples.pts = 16_000, 0
        clip.mux(audio.encode(samples))
        clip.mux(audio.encode(None))


def write_points(folder):
    """A cloud of forty points as text, as bytes and compressed."""
    rng = np.random.default_rng(0)
    cloud = rng.normal(0, 9, (40, 4)).astype("<f4")
    header = (
        "VERSION 0.7\nFIELDS x y z intensity\nSIZE 4 4 4 4\nTYPE F F F F\n"
        "WIDTH 40\nHEIGHT 1\nPOINTS 40\nDATA {}\n"
    )
    text = "\n".join(" ".join(map(str, point)) for point in cloud.tolist())
    (folder / "0").write_text(header.format("ascii") + text)
    body = header.format("binary").encode() + cloud.tobytes()
    (folder / "1").write_bytes(body)
    # Runs of 32 bytes, each after its length: LZF without repetition.
    body = cloud.T.tobytes()
    packed = b"".join(b"\x1f" + body[i : i + 32] for i in range(0, len(body), 32))
    sizes = np.array([len(packed), len(body)], "<u4").tobytes()
    header = header.format("binary_compressed").encode()
    (folder / "2").write_bytes(header + sizes + packed)


def write_tables(kind, folder):
    """A table of four rows, as a file or as shards."""
    import polars as pl

    frame = pl.DataFrame(
        {
            "text": ["red thing", 'a "quoted, one"', "naïve café", None],
            "age": [1.5, None, 3.0, 4.0],
            "answer": ["yes", "no", "yes", "no"],
        }
    )
    if kind == "csv":
        frame.write_csv(folder / "rows.csv")
    elif kind == "jsonl":
        frame.write_ndjson(folder / "rows.jsonl")
    elif kind == "parquet":
        frame.write_parquet(folder / "rows.parquet")
    else:
        write_shards(kind, folder, frame)


def write_shards(kind, folder, frame):
    """Shards of a table with an image in each row."""
    import polars as pl
    from PIL import Image

    from data_pipelines import pack
    from data_pipelines import sources

    rng = np.random.default_rng(0)
    table = folder.parent / "table"
    table.mkdir()
    photos = [f"{i}.png" for i in range(len(frame))]
    for name in photos:
        pixels = rng.integers(0, 256, (8, 8, 3), "uint8")
        Image.fromarray(pixels).save(table / name)
    frame.with_columns(photo=pl.Series(photos)).write_csv(table / "rows.csv")
    columns = {"photo": "image", "text": "text"}
    rows = sources.open_table(table / "rows.csv", target="answer", columns=columns)
    pack(rows, folder / "shards", kind=kind)


def mutate(data, rng):
    """Changes, removes, repeats or inserts bytes, once or a few times."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        if not data:
            break
        at, size = rng.randrange(len(data)), rng.choice((1, 1, 2, 4, 64, 1_000))
        # The header has the sizes and offsets: half of the changes are in it.
        at = at % 64 if rng.random() < 0.5 and len(data) > 64 else at
        how = rng.randrange(6)
        if how == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            data[at : at + size] = rng.randbytes(len(data[at : at + size]))
        elif how == 2:
            del data[at : at + size if rng.random() < 0.5 else None]
        elif how == 3:
            data[at:at] = data[at : at + size]
        elif how == 4:
            data[at:at] = rng.randbytes(size)
        else:
            extremes = (b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff")
            data[at : at + 4] = rng.choice(extremes)
    return bytes(data)
