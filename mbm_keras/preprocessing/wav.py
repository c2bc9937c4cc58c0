"""WAV bytes to samples, in TensorFlow operations alone.

`tf.audio.decode_wav` reads 16 bits and no other width; recorders write 24 bits and
floats as often, and telephones write 8 bits on a logarithmic scale.
"""

import functools

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing import riff
from mbm_keras.preprocessing import wav_codings as codings
from mbm_keras.preprocessing.guard import decode_each
from mbm_keras.preprocessing.resampling import resample
from mbm_keras.preprocessing.trace_once import trace_once

_EXTENSIBLE = 0xFFFE
# Ultrasound is recorded at half of it. A header can claim any rate, and to resample a
# second at the highest would take gigabytes.
_MAX_RATE = 1_000_000
# Writers that could not go back to the header leave 0, or two or four gigabytes.
_STREAMED = 0x7FFF0000
# A sample that is larger, full scale being 1, would overflow in a spectrum.
_MAX_SAMPLE = 1e10
_MARGIN = 0.1  # seconds read after the window, for the filter of the resampling


def _numbers(size, fields):
    """A matrix `(size, fields)` that multiplies bytes to little-endian integers."""
    matrix = np.zeros((size, len(fields)), np.int64)
    for column, (start, width) in enumerate(fields):
        matrix[start : start + width, column] = riff.POWERS[:width]
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
            _decode_to_window(sample_rate, seconds), others, one
        )
        return waves + wave, lengths + length, plain | decoded

    waves, lengths, decoded = tf.cond(
        tf.reduce_any(~plain & (encoded != "")),
        decode_others,
        lambda: (waves, lengths, plain),
    )
    return tf.ensure_shape(waves, (None, samples)), lengths, decoded


@functools.lru_cache(maxsize=8)
def _decode_to_window(sample_rate, seconds):
    decode = functools.partial(
        decode_to_window, sample_rate=sample_rate, seconds=seconds
    )
    return trace_once(tf.TensorSpec((), tf.string))(decode)


def _read_head(encoded):
    """Which files are plain, and of these the channels, the rate and bytes of sound."""
    head = tf.strings.substr(encoded, 0, 44)
    values = tf.io.decode_raw(head, tf.uint8, fixed_length=44)  # (batch, 44)
    channels, rate, size = tf.unstack(tf.cast(values, tf.int64) @ _PLAIN, axis=1)
    whole = tf.cast(tf.strings.length(encoded), tf.int64) == 44 + size
    known = (channels > 0) & (rate > 0) & (rate <= _MAX_RATE) & (size > 0)
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
    # What will be cut is not resampled.
    wave, rate = _decode(encoded, seconds + _MARGIN)
    wave = tf.cond(
        rate == sample_rate, lambda: wave, lambda: resample(wave, rate, sample_rate)
    )
    wave = wave[:samples]
    length = tf.shape(wave)[0]
    return tf.ensure_shape(tf.pad(wave, [[0, samples - length]]), (samples,)), length


def decode_wav(encoded):
    """Decodes a WAV file and mixes its channels to one.

    Reads 8, 16, 24 and 32 bits of integer, 32 and 64 bits of float, mu-law and A-law,
    in any number of channels, also in the extensible form. The mix is the mean of the
    channels, silent ones included.

    Args:
        encoded: A scalar string, the bytes of the file.

    Returns:
        `(samples,)` float32, full scale is 1; and the sample rate in hertz, a scalar
        int32.

    Raises:
        tf.errors.InvalidArgumentError: If it is not a WAV file, has another coding, no
            sample, ends early, holds samples that are not finite or ten billion times
            full scale, or has a rate above a million hertz.
    """
    return _decode(encoded, None)


def _decode(encoded, seconds):
    """The first seconds of a sound, all if they are None, and its rate."""
    plain, channels, rate, size = (x[0] for x in _read_head(encoded[None]))

    def decode_plain():
        frame = 2 * channels
        data = riff.substr(encoded, 44, _first(size, frame, rate, seconds))
        return _mono(codings.read_16(data), channels), rate

    return tf.cond(plain, decode_plain, lambda: _decode_any(encoded, seconds))


def _first(size, frame, rate, seconds):
    """How many bytes of sound the first seconds are, int64; all if they are None."""
    size, frame = tf.cast(size, tf.int64), tf.cast(frame, tf.int64)
    if seconds is None:
        return size
    frames = tf.math.ceil(seconds * tf.cast(rate, tf.float64))
    return tf.minimum(size, tf.cast(frames, tf.int64) * frame)


def _decode_any(encoded, seconds):
    # Few operations: all of them are traced and set up before the first sound.
    is_wav = riff.form(encoded) == b"WAVE"
    fmt, fmt_size, start, size = riff.chunks(encoded, is_wav)
    body = tf.io.decode_raw(riff.substr(encoded, fmt, 26), tf.uint8)
    body = tf.pad(body, [[0, 26 - tf.shape(body)[0]]])
    numbers = tf.linalg.matvec(_FMT, tf.cast(body, tf.int64), transpose_a=True)
    tag, channels, rate, bits, extended = tf.unstack(numbers)
    tag = tf.where((tag == _EXTENSIBLE) & (fmt_size >= 26), extended, tag)
    bits = -(-bits // 8) * 8  # 12 bits are kept in 16

    left = tf.cast(tf.strings.length(encoded), tf.int64) - start
    streamed = (size == 0) | ((size >= _STREAMED) & (size > left))
    size = tf.where(streamed, left, size)
    match = tf.reduce_all(codings.CODINGS == tf.stack([tag, bits]), axis=1)
    known = tf.reduce_any(match)
    frame = tf.maximum(channels * bits // 8, 1)
    wrong = [
        (~is_wav, "not a WAV file"),
        (fmt == 0, "fmt chunk is not in the WAV file"),
        (start == 0, "data chunk is not in the WAV file"),
        (fmt_size < 16, "WAV file without a whole `fmt ` chunk"),
        ((channels == 0) | (rate == 0), "no channel or no rate"),
        (rate > _MAX_RATE, _message("more hertz than allowed:", rate)),
        (size > left, _message("WAV file ends early: bytes", size, left)),
        (~known, _message("WAV coding is not read: format, bits", tag, bits)),
        (size < frame, "WAV file without a sample"),
    ]
    is_wrong, why = (tf.stack(part) for part in zip(*wrong, strict=True))
    first = tf.gather(why, tf.argmax(is_wrong))
    checked = tf.debugging.Assert(~tf.reduce_any(is_wrong), [first])
    with tf.control_dependencies([checked]):
        size = size // frame * frame
        data = riff.substr(encoded, start, _first(size, frame, rate, seconds))
    wave = tf.switch_case(
        tf.argmax(match, output_type=tf.int32),
        [lambda f=f: f(data) for f in codings.READERS],
    )
    wave = _mono(wave, tf.cast(channels, tf.int32))
    finite = tf.reduce_all(tf.abs(wave) <= _MAX_SAMPLE)
    with tf.control_dependencies(
        [tf.debugging.Assert(finite, ["WAV file has samples that are not finite"])]
    ):
        return tf.identity(wave), tf.cast(rate, tf.int32)


def _message(words, *numbers):
    numbers = tf.unstack(tf.strings.as_string(tf.stack(numbers)))
    return tf.strings.join([words, *numbers], " ")


def _mono(wave, channels):
    return tf.reduce_mean(tf.reshape(wave, (-1, channels)), axis=1)
