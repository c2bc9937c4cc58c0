"""Sound files of many kinds to WAV, with bounded time and memory."""

import io
import pathlib

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from data_pipelines.formats import kinds
from data_pipelines.formats import sound
from data_pipelines.formats import wav
from mbm_keras.preprocessing.wav import decode_wav

RATE = 8_000
TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)

# Container, coding and order of bytes.
KINDS = [
    *[("WAV", x, None) for x in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT")],
    *[("WAV", x, None) for x in ("DOUBLE", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM")],
    *[("WAV", x, None) for x in ("GSM610", "G721_32", "NMS_ADPCM_32")],
    ("WAV", "PCM_16", "BIG"),
    ("WAVEX", "ALAW", None),
    ("RF64", "PCM_24", None),
    ("W64", "FLOAT", None),
    *[("AIFF", x, None) for x in ("PCM_S8", "PCM_16", "PCM_24", "FLOAT", "ULAW")],
    *[("AIFF", x, None) for x in ("IMA_ADPCM", "GSM610")],
    ("AIFF", "PCM_16", "LITTLE"),
    *[("AU", x, None) for x in ("PCM_16", "DOUBLE", "ULAW", "G721_32")],
    ("AU", "PCM_16", "LITTLE"),
    *[("CAF", x, None) for x in ("PCM_16", "ALAW", "ALAC_24")],
    ("FLAC", "PCM_24", None),
    ("OGG", "VORBIS", None),
    ("OGG", "OPUS", None),
    ("MP3", "MPEG_LAYER_III", None),
    ("VOC", "PCM_16", None),
    ("NIST", "PCM_16", None),
    ("SVX", "PCM_16", None),
]


def encode(container="FLAC", coding=None, endian=None, wave=TONE, rate=RATE):
    data = io.BytesIO()
    options = {} if endian is None else {"endian": endian}
    soundfile.write(data, wave, rate, format=container, subtype=coding, **options)
    return data.getvalue()


def encode_by_ffmpeg(container, codec, rate=RATE):
    import av

    data = io.BytesIO()
    with av.open(data, "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate, layout="mono")
        tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate)
        frame = av.AudioFrame.from_ndarray(
            (tone * 32_767).astype("<i2")[None], "s16", "mono"
        )
        frame.sample_rate, frame.pts = rate, 0
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return data.getvalue()


def read(data):
    """Samples and rate of a file, by libsndfile."""
    return soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)


def loudest(wave, rate):
    """The frequency with the most energy, in hertz."""
    power = np.abs(np.fft.rfft(wave[: rate // 2, 0]))
    return 2.0 * power.argmax()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(map(str, kind)))
def test_the_samples_are_those_of_libsndfile(kind):
    data = encode(*kind)
    assert kinds.kind_of(data[: kinds.HEAD]) == "audio"
    right, rate = read(data)
    wave, found = decode_wav(tf.constant(sound.to_wav(data)))
    assert found == rate == RATE
    np.testing.assert_allclose(wave, right[:, 0], atol=1e-6)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(map(str, kind)))
def test_only_the_seconds_that_are_needed_are_decoded(kind):
    data = encode(*kind)
    wave, _ = read(sound.to_wav(data, seconds=0.5))
    assert 0.5 * RATE < len(wave) <= 0.75 * RATE
    np.testing.assert_allclose(wave, read(data)[0][: len(wave)], atol=1e-6)


@pytest.mark.parametrize("coding", soundfile.available_subtypes("WAV"))
def test_a_wav_is_left_to_the_graph_where_the_graph_reads_it(coding):
    if coding == "MPEG_LAYER_III":
        pytest.skip("libsndfile reads it but does not write it")
    data = encode("WAV", coding)
    if sound.to_wav(data) is data:
        decode_wav(tf.constant(data))
    else:
        with pytest.raises(tf.errors.InvalidArgumentError, match="coding is not read"):
            decode_wav(tf.constant(data))


@pytest.mark.parametrize(
    "container, codec",
    [
        ("ipod", "aac"),
        ("ipod", "alac"),
        ("mp4", "aac"),
        ("adts", "aac"),
        ("wav", "g722"),
        ("wav", "adpcm_g726"),
        ("ogg", "flac"),
        ("matroska", "flac"),
    ],
)
def test_what_libsndfile_does_not_read_is_read_by_ffmpeg(container, codec):
    rate = 16_000 if codec == "g722" else RATE
    data = encode_by_ffmpeg(container, codec, rate)
    wave, found = read(sound.to_wav(data, seconds=1.0))
    assert found == rate and rate < len(wave) <= 1.25 * rate
    assert abs(loudest(wave, rate) - 440) <= 4
    assert sound.probe(data) == (rate, pytest.approx(2.0, abs=0.2))


def test_a_stream_of_flac_that_says_no_length_is_read():
    data = bytearray(encode("FLAC"))
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    wave, _ = read(sound.to_wav(bytes(data)))
    np.testing.assert_allclose(wave, read(encode("FLAC"))[0], atol=1e-6)


def test_an_mp3_after_a_large_tag_is_read():
    tag = b"ID3\x03\0\0" + bytes([0, 2, 0, 0]) + bytes(2**15)  # seven bits a byte
    data = encode("MP3")
    np.testing.assert_array_equal(
        read(sound.to_wav(tag + data))[0], read(sound.to_wav(data))[0]
    )


@pytest.mark.parametrize("container", ["FLAC", "OGG", "WAV"])
def test_an_hour_takes_no_more_than_the_window(container):
    data = io.BytesIO()
    with soundfile.SoundFile(data, "w", 2_000, 1, format=container) as file:
        for _ in range(3_600):
            file.write(np.zeros(2_000, "float32"))
    hour = data.getvalue()
    assert len(sound.to_wav(hour, seconds=1.0)) < 4 * 2_000 * 1.25 + 100


def lie(data, at, value):
    return data[:at] + value + data[at + len(value) :]


AIFF, AU, CAF, FLAC = (encode(x) for x in ("AIFF", "AU", "CAF", "FLAC"))


@pytest.mark.parametrize(
    "data, message",
    [
        (FLAC[:200], "FLAC cannot be decoded"),
        (lie(FLAC, 21, b"\xff" * 5), "more sound than allowed"),
        (lie(AIFF, AIFF.index(b"COMM") + 8, b"\0\0"), "AIFF cannot be decoded"),
        (AIFF[:12] + b"ANNO\0\0\0\0" * 200_000 + AIFF[12:], "AIFF cannot be decoded"),
        (lie(AU, 20, b"\xff\xff\xff\x7f"), "AU cannot be decoded"),
        (lie(AU, 16, b"\x7f\0\0\0"), "more hertz than allowed|AU cannot be decoded"),
        (lie(CAF, CAF.index(b"data") + 4, b"\x7f"), "CAF cannot be decoded"),
        (lie(encode("WAV"), 20, b"\x34\x12"), "WAV cannot be decoded"),
        (b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + encode("MP3"), "MP3"),
        (b"\xff\xfb\x90\x64" + bytes(100_000), "MP3"),
        (encode("AIFF", wave=np.zeros(0)), "no sample"),
        (b"#!AMR\nnothing", "cannot be decoded|empty"),
        (b"\xff\xf1\x50\x80" + bytes(100), "no sample rate"),
    ],
    ids=(
        "truncated FLAC", "length of FLAC", "channels of AIFF", "chunks of AIFF",
        "channels of AU", "rate of AU", "size of CAF", "coding of WAV", "tag of MP3",
        "MP3 of zeros", "empty", "AMR", "AAC",
    ),
)  # fmt: skip
def test_a_sound_that_cannot_be_decoded_has_a_reason_that_names_its_kind(data, message):
    with pytest.raises(ValueError, match=message):
        sound.to_wav(data, seconds=1.0)


def test_the_reason_says_what_to_install(monkeypatch):
    def missing():
        raise ImportError("Install PyAV.")

    data = encode_by_ffmpeg("ipod", "aac")
    monkeypatch.setattr("data_pipelines.formats.clip.import_av", missing)
    with pytest.raises(ValueError, match="Install PyAV"):
        sound.to_wav(data)


def test_what_is_no_sound_is_left_to_the_preprocessor():
    for data in (b"", b"junk", b"RIFF\0\0\0\0WAVE", b"Creates a sound"):
        assert sound.to_wav(data, seconds=1.0) is data


def test_a_long_wav_whose_sound_comes_first_is_shortened():
    data = encode("WAV")
    late = data[:12] + data[36:] + data[12:36]  # the layout comes after the samples
    short = sound.to_wav(late, seconds=0.5)
    wave, rate = decode_wav(tf.constant(short))
    assert rate == RATE and len(short) < len(data) / 2
    np.testing.assert_array_equal(wave, read(data)[0][: len(wave), 0])


def test_a_truncated_wav_stays_whole_for_its_reason():
    data = encode("WAV")[:-1_000]
    assert sound.to_wav(data, seconds=0.1) is data


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(map(str, kind)))
def test_rate_and_length_without_decoding(kind):
    rate, seconds = sound.probe(encode(*kind))
    assert rate == RATE and seconds == pytest.approx(2.0, abs=0.1)


def test_a_sound_in_a_container_of_clips_is_known_by_its_suffix(tmp_path):
    path = pathlib.Path(tmp_path / "voice.m4a")
    path.write_bytes(encode_by_ffmpeg("mp4", "aac"))
    assert kinds.read_kind(path) == "audio"
    assert kinds.read_kind(path.rename(tmp_path / "voice.mp4")) == "video"


def test_the_header_of_a_wav():
    data = encode("WAV", "PCM_24")
    header = wav.read_header(data)
    assert header.in_graphs and header.rate == RATE and header.width == 3
    assert header.size == 3 * len(TONE) and header.start + header.size == len(data)
    assert wav.read_header(data[:20]) is None and wav.read_header(AIFF) is None


def test_the_table_of_the_guide_is_that_of_the_code():
    lines = []
    for container, coding, endian in KINDS:
        data = encode(container, coding, endian)
        order = {"BIG": ", big-endian", "LITTLE": ", little-endian", None: ""}[endian]
        done = sound.to_wav(data)
        whole = done is data
        in_table, served = ("as it is", "yes") if whole else ("as WAV", "`corrupt`")
        lines.append(f"| {container} | {coding}{order} | {in_table} | {served} |")
    guide = pathlib.Path(__file__).parents[3] / "docs" / "files.md"
    text = guide.read_text(encoding="utf-8").partition("<!-- sounds -->")[2]
    rows = text.partition("<!-- end -->")[0].strip().splitlines()[2:]
    assert rows == lines
