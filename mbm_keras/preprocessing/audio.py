"""One encoded sound to its samples, or to the log of mel-band energy."""

import tensorflow as tf

from mbm_keras.preprocessing.wav import decode_wav


class Waveform(tf.Module):
    """Decodes WAV bytes to samples of one channel and one rate.

    Channels are mixed to one, and another rate is resampled without aliases.

    Args:
        sample_rate: Rate of the samples, in hertz.
        seconds: Length of the window; longer sound is cut, shorter is padded with
            silence.

    Returns:
        From a scalar string of bytes, `(samples,)` float32, full scale is 1.

    Raises:
        tf.errors.InvalidArgumentError: If the bytes are no whole WAV file.
        ValueError: If the window holds no sample.
    """

    modality = "wave"
    raw = tf.TensorSpec((), tf.string)

    def __init__(self, sample_rate, seconds):
        super().__init__(name="waveform")
        self.sample_rate = sample_rate
        self.seconds = seconds
        self.samples = round(sample_rate * seconds)
        if self.samples < 1:
            raise ValueError(
                "The window holds one sample at least. Received: "
                f"sample_rate={sample_rate}, seconds={seconds}."
            )
        self.array = tf.TensorSpec((self.samples,), tf.float32)

    def __call__(self, encoded):
        return _window(encoded, self.sample_rate, self.seconds)[0]

    def adapt(self, values):
        """Learns nothing."""

    def sizes(self):
        return {"samples": self.samples}

    def config(self):
        return {"sample_rate": self.sample_rate, "seconds": self.seconds}


class Sounds:
    """What a separator gives, as WAV files of 16 bits: a target for `export.save`.

    Args:
        sample_rate: Rate of the samples, in hertz.
    """

    given = "waves"

    def __init__(self, sample_rate):
        self.sample_rate = sample_rate

    def decode(self, waves, name):
        """In TensorFlow: `(batch, sounds)` WAV bytes of `(batch, sounds, samples)`."""
        flat = tf.reshape(waves, (-1, tf.shape(waves)[2], 1))
        encoded = tf.map_fn(
            lambda wave: tf.audio.encode_wav(wave, self.sample_rate),
            tf.clip_by_value(flat, -1.0, 1.0),
            fn_output_signature=tf.string,
        )
        return {name: tf.reshape(encoded, tf.shape(waves)[:2])}

    def config(self):
        return {"sample_rate": self.sample_rate}


class LogMel(tf.Module):
    """Decodes WAV bytes and computes the log of mel-band energy.

    Channels are mixed to one, and another rate is resampled without aliases.

    Args:
        sample_rate: Rate at which the energy is computed, in hertz.
        seconds: Length of the window; longer sound is cut, shorter is padded with
            silence, or with zeros if `variable`.
        num_mel_bins: Number of mel bands between 20 Hz and `sample_rate / 2`.
        hop: Distance between frames, in seconds. The Hann window is `2.5 * hop`.
        variable: True for sounds of several lengths: frames that begin behind the end
            of a sound are zeros, which the audio towers take for padding.

    Returns:
        From a scalar string of bytes, `(frames, num_mel_bins)` float32, natural
        log of the energy in each band. Silence is log(1e-6), padding 0.

    Raises:
        tf.errors.InvalidArgumentError: If the bytes are no whole WAV file.
        ValueError: If the window is shorter than one frame.
    """

    modality = "audio"
    raw = tf.TensorSpec((), tf.string)

    def __init__(self, sample_rate, seconds, num_mel_bins=40, hop=0.01, variable=False):
        super().__init__(name="log_mel")
        self.sample_rate = sample_rate
        self.seconds = seconds
        self.num_mel_bins = num_mel_bins
        self.hop = hop
        self.variable = variable
        self.samples = round(sample_rate * seconds)
        self.step = round(sample_rate * hop)
        self.window = round(sample_rate * hop * 2.5)
        if self.samples < self.window or self.step < 1:
            raise ValueError(
                "The sound must hold one frame of 2.5 hops. Received: "
                f"sample_rate={sample_rate}, seconds={seconds}, hop={hop}."
            )
        self.frames = 1 + (self.samples - self.window) // self.step
        self.fft = 2 ** (self.window - 1).bit_length()
        self.mel = tf.signal.linear_to_mel_weight_matrix(
            num_mel_bins, self.fft // 2 + 1, sample_rate, 20.0, sample_rate / 2
        )
        # A sound, and behind it how many of its samples are its own.
        self.piece = tf.TensorSpec((self.samples + 1,), tf.float32)
        self.array = tf.TensorSpec((self.frames, num_mel_bins), tf.float32)

    def __call__(self, encoded):
        return self.together(self.each(encoded)[None])[0]

    def each(self, encoded):
        """The first of two steps: one sound's samples and their number."""
        wave, length = _window(encoded, self.sample_rate, self.seconds)
        wave = tf.concat([wave, [tf.cast(length, tf.float32)]], axis=0)
        return tf.ensure_shape(wave, self.piece.shape)

    def together(self, waves):
        """The second: `(batch, samples + 1)` to `(batch, frames, num_mel_bins)`."""
        waves, lengths = waves[:, :-1], waves[:, -1]
        spectrum = tf.signal.stft(waves, self.window, self.step, self.fft)
        power = tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))
        energy = power @ self.mel
        log_mel = tf.math.log(energy + 1e-6)
        if self.variable:
            starts = tf.range(0, self.frames * self.step, self.step)
            here = tf.cast(starts, tf.float32) < lengths[:, None]
            log_mel *= tf.cast(here, tf.float32)[:, :, None]
        return tf.ensure_shape(log_mel, (None, *self.array.shape))

    def adapt(self, values):
        """Learns nothing."""

    def sizes(self):
        frames = None if self.variable else self.frames
        return {"frames": frames, "num_mel_bins": self.num_mel_bins}

    def config(self):
        return {
            "sample_rate": self.sample_rate,
            "seconds": self.seconds,
            "num_mel_bins": self.num_mel_bins,
            "hop": self.hop,
            "variable": self.variable,
        }


def _window(encoded, sample_rate, seconds):
    """Its samples, cut or padded, and how many of them are its own."""
    samples = round(sample_rate * seconds)
    wave, rate = decode_wav(encoded)
    longest = tf.cast(tf.math.ceil(seconds * tf.cast(rate, tf.float32)), tf.int32)
    wave = wave[: longest + 1]  # no work on what will be cut
    wave = tf.cond(
        rate == sample_rate, lambda: wave, lambda: resample(wave, rate, sample_rate)
    )
    wave = wave[:samples]
    length = tf.shape(wave)[0]
    return tf.ensure_shape(tf.pad(wave, [[0, samples - length]]), (samples,)), length


def resample(wave, rate, new_rate):
    """Resamples by cutting or padding the spectrum, which no alias passes.

    Args:
        wave: `(samples,)` float32.
        rate: Its rate in hertz, a scalar int32.
        new_rate: The rate wanted, in hertz.

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
