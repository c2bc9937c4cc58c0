"""WAV bytes to samples, in TensorFlow operations alone.

`tf.audio.decode_wav` reads 16 bits and no other width; recorders write 24 bits and
floats as often.
"""

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing.guard import decode_each

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
# Ultrasound is recorded at half of it. A header can claim any rate, and to resample a
# second at the highest would take gigabytes.
_MAX_RATE = 1_000_000
_STREAMED = (0, 0xFFFFFFFF)  # sizes left by a writer that could not go back
_POWERS = np.array([1, 2**8, 2**16, 2**24])  # of the bytes of an integer
_NAMES = np.array([int.from_bytes(name, "little") for name in (b"fmt ", b"data")])
_CODINGS = np.array(
    [(_PCM, 8), (_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32), (_FLOAT, 64)]
)


def _numbers(size, fields):
    """A matrix `(size, fields)` that multiplies bytes to little-endian integers."""
    matrix = np.zeros((size, len(fields)), np.int64)
    for column, (start, width) in enumerate(fields):
        matrix[start : start + width, column] = _POWERS[:width]
    return matrix


# Of a `fmt ` chunk: format, channels, rate, bits of a sample, and the format of an
# extensible file.
_FMT = _numbers(26, [(0, 2), (2, 2), (4, 4), (14, 2), (24, 2)])
# Of the first 44 bytes of a plain file: channels, rate, and bytes of sound.
_PLAIN = _numbers(44, [(22, 2), (24, 4), (40, 4)])
_PLAIN_LETTERS = rb"RIFF\C{4}WAVEfmt \x10\x00\x00\x00\x01\x00\C{12}\x10\x00data\C{4}"


def decode_wavs(encoded, sample_rate, seconds):
    """Decodes WAV files to one channel, one rate and one length.

    Most files are plain: 16 bits, two chunks and nothing after them. Those of one
    channel and the rate asked for are read all at once, the others one by one.

    Args:
        encoded: `(batch,)` strings, the bytes of the files.
        sample_rate: Rate of the samples, in hertz.
        seconds: Length of the output; longer sounds are cut, shorter ones are padded
            with zeros.

    Returns:
        `(batch, samples)` float32, full scale is 1; `(batch,)` int32, how many samples
        are of the file; and `(batch,)` bool, which files were decoded. Without it,
        samples and number are zeros.
    """
    samples = round(sample_rate * seconds)
    plain, channels, rate, size = _read_head(encoded)
    plain &= (channels == 1) & (rate == sample_rate)
    size = tf.where(plain, tf.minimum(size, 2 * samples), 0)
    data = tf.strings.substr(encoded, tf.where(plain, 44, 0), size)
    waves = tf.io.decode_raw(data, tf.int16, fixed_length=2 * samples)
    waves = tf.cast(waves, tf.float32) / 2**15  # (batch, samples)
    lengths = size // 2

    def decode_others():
        one = (tf.TensorSpec((samples,), tf.float32), tf.TensorSpec((), tf.int32))
        others = tf.where(plain, "", encoded)
        (wave, length), decoded = decode_each(
            lambda x: decode_to_window(x, sample_rate, seconds), others, one
        )
        return waves + wave, lengths + length, plain | decoded

    waves, lengths, decoded = tf.cond(
        tf.reduce_any(~plain & (encoded != "")),
        decode_others,
        lambda: (waves, lengths, plain),
    )
    return tf.ensure_shape(waves, (None, samples)), lengths, decoded


def _read_head(encoded):
    """Which files are plain, and of these the channels, the rate and bytes of sound."""
    head = tf.strings.substr(encoded, 0, 44)
    values = tf.io.decode_raw(head, tf.uint8, fixed_length=44)  # (batch, 44)
    channels, rate, size = tf.unstack(tf.cast(values, tf.int64) @ _PLAIN, axis=1)
    whole = tf.cast(tf.strings.length(encoded), tf.int64) == 44 + size
    known = (channels > 0) & (rate > 0) & (rate <= _MAX_RATE)
    known &= size % tf.maximum(2 * channels, 1) == 0
    plain = tf.strings.regex_full_match(head, _PLAIN_LETTERS) & whole & known
    numbers = [tf.where(plain, n, 1) for n in (channels, rate, size)]
    return plain, *(tf.cast(n, tf.int32) for n in numbers)


def decode_to_window(encoded, sample_rate, seconds):
    """Decodes one WAV file to one channel, one rate and one length.

    Args:
        encoded: A scalar string, the bytes of the file.
        sample_rate: As for `decode_wavs`.
        seconds: As for `decode_wavs`.

    Returns:
        `(samples,)` float32; and how many samples are of the file, a scalar int32.

    Raises:
        tf.errors.InvalidArgumentError: As `decode_wav` does.
    """
    samples = round(sample_rate * seconds)
    wave, rate = decode_wav(encoded)
    longest = tf.cast(tf.math.ceil(seconds * tf.cast(rate, tf.float32)), tf.int32)
    wave = wave[: longest + 1]  # what will be cut is not resampled
    wave = tf.cond(
        rate == sample_rate, lambda: wave, lambda: resample(wave, rate, sample_rate)
    )
    wave = wave[:samples]
    length = tf.shape(wave)[0]
    return tf.ensure_shape(tf.pad(wave, [[0, samples - length]]), (samples,)), length


def resample(wave, rate, new_rate):
    """Resamples by cutting or padding the spectrum, so that there are no aliases.

    Args:
        wave: `(samples,)` float32.
        rate: Its rate in hertz, a scalar int32.
        new_rate: The new rate in hertz.

    Returns:
        `(ceil(samples * new_rate / rate),)` float32.
    """
    samples = tf.shape(wave)[0]
    # Whole seconds of sound are a whole number of samples at either rate.
    seconds = tf.maximum(-(-samples // rate), 1)
    before, after = seconds * rate, seconds * new_rate
    spectrum = tf.signal.rfft(tf.pad(wave, [[0, before - samples]]))
    kept = tf.minimum(before, after) // 2
    spectrum = spectrum[:kept]  # the bin at half the lower rate is left out
    spectrum = tf.pad(spectrum, [[0, after // 2 + 1 - kept]])
    gain = tf.cast(after, tf.float32) / tf.cast(before, tf.float32)
    new = tf.signal.irfft(spectrum, [after]) * gain
    length = tf.cast(samples, tf.int64) * new_rate
    return new[: tf.cast(-(-length // tf.cast(rate, tf.int64)), tf.int32)]


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
        tf.errors.InvalidArgumentError: If it is not a WAV file, has another coding,
            ends early, holds samples that are not finite, or has a rate above a
            million hertz.
    """
    plain, channels, rate, _ = (x[0] for x in _read_head(encoded[None]))
    return tf.cond(
        plain,
        lambda: (_mono(_read_16(tf.strings.substr(encoded, 44, -1)), channels), rate),
        lambda: _decode_any(encoded),
    )


def _decode_any(encoded):
    # Few operations: all of them are traced and set up before the first sound.
    is_wav = riff_form(encoded) == b"WAVE"
    fmt, fmt_size, start, size = _chunks(encoded, is_wav)
    body = tf.io.decode_raw(_substr(encoded, fmt, 26), tf.uint8)
    body = tf.pad(body, [[0, 26 - tf.shape(body)[0]]])
    numbers = tf.linalg.matvec(_FMT, tf.cast(body, tf.int64), transpose_a=True)
    tag, channels, rate, bits, extended = tf.unstack(numbers)
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
        (rate > _MAX_RATE, _message("more hertz than allowed:", rate)),
        (size > left, _message("WAV file ends early: bytes", size, left)),
        (~known, _message("WAV coding is not read: format, bits", tag, bits)),
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
        [tf.debugging.Assert(finite, ["WAV file has samples that are not finite"])]
    ):
        return tf.identity(wave), tf.cast(rate, tf.int32)


def _message(words, *numbers):
    numbers = tf.unstack(tf.strings.as_string(tf.stack(numbers)))
    return tf.strings.join([words, *numbers], " ")


def _mono(wave, channels):
    return tf.reduce_mean(tf.reshape(wave, (-1, channels)), axis=1)


def riff_form(encoded):
    """The four letters that say what a RIFF file holds; empty for other files."""
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
    # Files of other formats are not searched.
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
