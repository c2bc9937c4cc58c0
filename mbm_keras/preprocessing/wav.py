"""WAV bytes to samples, in TensorFlow operations alone.

`tf.audio.decode_wav` reads 16 bits and no other width; recorders write 24 bits and
floats as often.
"""

import tensorflow as tf

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
# Ultrasound is recorded at half of it. To resample a second at the rate that a header
# can tell would take gigabytes.
_MOST_RATE = 1_000_000
_STREAMED = (0, 0xFFFFFFFF)  # sizes left by a writer that could not go back


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
    powers = tf.constant([1, 2**8, 2**16, 2**24], tf.int64)
    rate, size = tf.unstack(
        tf.linalg.matvec(tf.stack([places[24:28], places[40:44]]), powers)
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
    is_wav = riff_form(encoded) == b"WAVE"
    with tf.control_dependencies([tf.debugging.Assert(is_wav, ["not a WAV file"])]):
        encoded = tf.identity(encoded)
    start, size = _chunk(encoded, b"fmt ")
    with tf.control_dependencies(
        [tf.debugging.Assert(size >= 16, ["WAV file without a whole `fmt ` chunk"])]
    ):
        tag = _integer(encoded, start, 2)
    tag = tf.cond(
        (tag == _EXTENSIBLE) & (size >= 26),
        lambda: _integer(encoded, start + 24, 2),
        lambda: tag,
    )
    channels, rate = _integer(encoded, start + 2, 2), _integer(encoded, start + 4, 4)
    bits = _integer(encoded, start + 14, 2)

    start, size = _chunk(encoded, b"data")
    left = tf.cast(tf.strings.length(encoded), tf.int64) - start
    streamed = tf.reduce_any(size == tf.constant(_STREAMED, tf.int64))
    size = tf.where(streamed, left, size)
    checks = [
        tf.debugging.Assert((channels > 0) & (rate > 0), ["no channel or no rate"]),
        tf.debugging.Assert(rate <= _MOST_RATE, ["more hertz than allowed:", rate]),
        tf.debugging.Assert(size <= left, ["WAV file ends early: bytes", size, left]),
    ]
    codings = [
        (_PCM, 8),
        (_PCM, 16),
        (_PCM, 24),
        (_PCM, 32),
        (_FLOAT, 32),
        (_FLOAT, 64),
    ]
    match = [(tag == t) & (bits == b) for t, b in codings]
    checks.append(
        tf.debugging.Assert(
            tf.reduce_any(match), ["WAV coding is not read: format, bits", tag, bits]
        )
    )
    with tf.control_dependencies(checks):
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


def _integer(data, start, size):
    """The unsigned little-endian integer of `size` bytes at `start`, as int64."""
    places = tf.io.decode_raw(_substr(data, start, size), tf.uint8)
    return tf.reduce_sum(
        tf.cast(places, tf.int64) * 256 ** tf.range(size, dtype=tf.int64)
    )


def _chunk(data, name):
    """Start and size of the first chunk called `name`, its header left out."""
    length = tf.cast(tf.strings.length(data), tf.int64)

    def another(start):
        return (start + 8 <= length) & (_substr(data, start, 4) != name)

    def step(start):
        size = _integer(data, start + 4, 4)
        return [start + 8 + size + size % 2]

    (start,) = tf.while_loop(another, step, [tf.constant(12, tf.int64)])
    found = tf.debugging.Assert(
        start + 8 <= length, [tf.constant(name), "chunk is not in the WAV file"]
    )
    with tf.control_dependencies([found]):
        return start + 8, _integer(data, start + 4, 4)
