"""WAV bytes to samples, in TensorFlow operations alone.

`tf.audio.decode_wav` reads 16 bits and no other width; recorders write 24 bits and
floats as often.
"""

import numpy as np
import tensorflow as tf

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
# Ultrasound is recorded at half of it. To resample a second at the rate that a header
# can tell would take gigabytes.
_MOST_RATE = 1_000_000
_STREAMED = (0, 0xFFFFFFFF)  # sizes left by a writer that could not go back
_POWERS = np.array([1, 2**8, 2**16, 2**24])  # of the bytes of an integer
_NAMES = np.array([int.from_bytes(name, "little") for name in (b"fmt ", b"data")])
_CODINGS = np.array(
    [(_PCM, 8), (_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32), (_FLOAT, 64)]
)
# Format, channels, rate, bits of a sample, and the format behind an extensible one, of
# the bytes of a `fmt ` chunk.
_FMT = np.zeros((5, 26), np.int64)
for _row, (_at, _size) in enumerate([(0, 2), (2, 2), (4, 4), (14, 2), (24, 2)]):
    _FMT[_row, _at : _at + _size] = _POWERS[:_size]


def decode_wav(encoded):
    """Decodes a WAV file and mixes its channels to one.

    Reads 8, 16, 24 and 32 bits of integer and 32 and 64 bits of float, in any number
    of channels, also in the extensible form.

    Args:
        encoded: A scalar string, the bytes of the file.

    Returns:
        `(samples,)` float32, full scale is 1; and the sample rate in hertz, a scalar
        int32.

    Raises:
        tf.errors.InvalidArgumentError: If it is no WAV, one of another coding, one
            that ends early, or one of more than a million samples a second.
    """
    # Most files are plain: their sizes stand where they usually do.
    plain, channels, rate = _look(encoded)
    return tf.cond(
        plain,
        lambda: _decode_plain(encoded, channels, rate),
        lambda: _decode_any(encoded),
    )


def _look(encoded):
    """Whether it has 16 bits, two chunks, and nothing behind them; channels and rate.

    They are what they say only where it has.
    """
    head = tf.strings.substr(tf.strings.join([encoded, b" " * 44]), 0, 44)
    letters = rb"RIFF\C{4}WAVEfmt \x10\x00\x00\x00\x01\x00\C{12}\x10\x00data\C{4}"
    places = tf.cast(tf.io.decode_raw(head, tf.uint8), tf.int64)
    channels = places[22] + 256 * places[23]
    rate, size = tf.unstack(
        tf.linalg.matvec(tf.stack([places[24:28], places[40:44]]), _POWERS)
    )
    whole = tf.cast(tf.strings.length(encoded), tf.int64) == 44 + size
    frames = (channels > 0) & (size % tf.maximum(2 * channels, 1) == 0)
    known = (rate > 0) & (rate <= _MOST_RATE)
    plain = tf.strings.regex_full_match(head, letters) & whole & frames & known
    return plain, tf.cast(channels, tf.int32), tf.cast(rate, tf.int32)


def _decode_plain(encoded, channels, rate):
    wave = _read_16(tf.strings.substr(encoded, 44, -1))
    return _mono(wave, channels), rate


def _decode_any(encoded):
    # Few operations, for all of them are traced and optimised before the first sound.
    is_wav = riff_form(encoded) == b"WAVE"
    fmt, fmt_size, start, size = _chunks(encoded, is_wav)
    body = tf.io.decode_raw(_substr(encoded, fmt, 26), tf.uint8)
    body = tf.pad(body, [[0, 26 - tf.shape(body)[0]]])
    said = tf.linalg.matvec(_FMT, tf.cast(body, tf.int64))
    tag, channels, rate, bits, extended = tf.unstack(said)
    tag = tf.where((tag == _EXTENSIBLE) & (fmt_size >= 26), extended, tag)

    left = tf.cast(tf.strings.length(encoded), tf.int64) - start
    streamed = tf.reduce_any(size == tf.constant(_STREAMED, tf.int64))
    size = tf.where(streamed, left, size)
    match = tf.reduce_all(_CODINGS == tf.stack([tag, bits]), axis=1)
    known = tf.reduce_any(match)
    wrong = [
        (~is_wav, "not a WAV file"),
        (fmt == 0, "fmt chunk is not in the WAV file"),
        (start == 0, "data chunk is not in the WAV file"),
        (fmt_size < 16, "WAV file without a whole `fmt ` chunk"),
        ((channels == 0) | (rate == 0), "no channel or no rate"),
        (rate > _MOST_RATE, _said("more hertz than allowed:", rate)),
        (size > left, _said("WAV file ends early: bytes", size, left)),
        (~known, _said("WAV coding is not read: format, bits", tag, bits)),
    ]
    is_wrong, why = (tf.stack(part) for part in zip(*wrong, strict=True))
    first = tf.gather(why, tf.argmax(is_wrong))
    checked = tf.debugging.Assert(~tf.reduce_any(is_wrong), [first])
    with tf.control_dependencies([checked]):
        frame = tf.maximum(channels * bits // 8, 1)
        data = _substr(encoded, start, size // frame * frame)
    wave = tf.switch_case(
        tf.argmax(match, output_type=tf.int32), [lambda f=f: f(data) for f in _READERS]
    )
    wave = _mono(wave, tf.cast(channels, tf.int32))
    finite = tf.reduce_all(tf.math.is_finite(wave))
    with tf.control_dependencies(
        [tf.debugging.Assert(finite, ["WAV file holds samples that are no numbers"])]
    ):
        return tf.identity(wave), tf.cast(rate, tf.int32)


def _said(words, *numbers):
    numbers = tf.unstack(tf.strings.as_string(tf.stack(numbers)))
    return tf.strings.join([words, *numbers], " ")


def _mono(wave, channels):
    return tf.reduce_mean(tf.reshape(wave, (-1, channels)), axis=1)


def riff_form(encoded):
    """The four letters that say what a RIFF file holds, or none if it is no RIFF."""
    padded = tf.strings.join([encoded, b" " * 12])  # `substr` wants its start inside
    is_riff = tf.strings.substr(padded, 0, 4) == b"RIFF"
    return tf.where(is_riff, tf.strings.substr(padded, 8, 4), b"")


def _read_8(data):
    return (tf.cast(tf.io.decode_raw(data, tf.uint8), tf.float32) - 128) / 128


def _read_16(data):
    return tf.cast(tf.io.decode_raw(data, tf.int16), tf.float32) / 2**15


def _read_24(data):
    low, middle, high = tf.unstack(
        tf.cast(tf.reshape(tf.io.decode_raw(data, tf.uint8), (-1, 3)), tf.int32), axis=1
    )
    high = tf.where(high < 128, high, high - 256)
    return tf.cast(low + 256 * middle + 65_536 * high, tf.float32) / 2**23


def _read_32(data):
    return tf.cast(tf.io.decode_raw(data, tf.int32), tf.float32) / 2**31


def _read_float(data):
    return tf.io.decode_raw(data, tf.float32)


def _read_double(data):
    return tf.cast(tf.io.decode_raw(data, tf.float64), tf.float32)


_READERS = (_read_8, _read_16, _read_24, _read_32, _read_float, _read_double)


def _substr(data, start, size):
    return tf.strings.substr(data, tf.cast(start, tf.int32), tf.cast(size, tf.int32))


def _chunks(encoded, is_wav):
    """Start and size of the first `fmt ` and the first `data` chunk, 0 without one.

    Their headers are left out.
    """
    length = tf.cast(tf.strings.length(encoded), tf.int64)
    # What is no WAV is not walked through.
    at = tf.where(is_wav, tf.constant(12, tf.int64), length)

    def lacking(at, found):
        return (at + 8 <= length) & tf.reduce_any(found[:, 0] == 0)

    def step(at, found):
        head = tf.io.decode_raw(_substr(encoded, at, 8), tf.uint8)
        head = tf.cast(tf.reshape(head, (2, 4)), tf.int64)
        name, size = tf.unstack(tf.linalg.matvec(head, _POWERS))
        new = (found[:, 0] == 0) & (_NAMES == name)
        found = tf.where(new[:, None], [[at + 8, size]], found)
        return at + 8 + size + size % 2, found

    nothing = tf.zeros((2, 2), tf.int64)
    _, found = tf.while_loop(lacking, step, [at, nothing])
    return tf.unstack(tf.reshape(found, [4]))
