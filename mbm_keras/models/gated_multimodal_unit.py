"""Gated Multimodal Unit: text, image and audio, late fusion, one label.

Arevalo et al. 2017, "Gated Multimodal Units for Information Fusion",
https://arxiv.org/abs/1702.01992. Deviations: the paper fuses text and image,
this file adds audio; the gates are a softmax, see `GatedFusion`; the towers are
small and trained along, the paper's are a word2vec and a VGG trained before; one
dense layer for its maxout classifier.

    text  --> text_tower  --.
    image --> image_tower --+--> GatedFusion --> dropout --> label
    audio --> audio_tower --'
"""

import keras

from mbm_keras.fusion import GatedFusion
from mbm_keras.layers import ZeroAbsent
from mbm_keras.tasks import classification
from mbm_keras.towers import audio_cnn
from mbm_keras.towers import image_cnn
from mbm_keras.towers import text_rnn

PRESETS = {
    "tiny": dict(vocabulary_size=20, image_size=16, frames=16, num_mel_bins=8,
                 num_classes=3, width=8, filters=(4, 8)),
    "base": dict(vocabulary_size=20_000, image_size=128, frames=400, num_mel_bins=64,
                 num_classes=10, width=256, filters=(32, 64, 128, 256)),
}  # fmt: skip


def build(
    *,
    vocabulary_size,
    image_size,
    frames,
    num_mel_bins,
    num_classes,
    width=256,
    filters=(32, 64, 128),
    dropout=0.3,
    name="gated_multimodal_unit",
):
    """Builds the model.

    Args:
        vocabulary_size: Number of word ids, padding id 0 included.
        image_size: Height and width of the square picture, in pixels.
        frames: Number of spectrogram frames.
        num_mel_bins: Number of mel bands.
        num_classes: Number of labels.
        width: Width of the embeddings.
        filters: Channels of the convolutions of both CNN towers.
        dropout: Rate of dropout on the fused embedding.
        name: Name of the model.

    Returns:
        A functional `keras.Model`.
        Inputs, by name:
            text: `(batch, steps)` int32 word ids, 0 = padding.
            image: `(batch, image_size, image_size, 3)` uint8 in [0, 255].
            audio: `(batch, frames, num_mel_bins)` float32, natural log of mel energy.
            present: `(batch, 3)` bool: is there a text, an image, a sound?
        Outputs, by name:
            label: `(batch, num_classes)` float32 logits.
    """
    text = keras.Input((None,), dtype="int32", name="text")
    image = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    audio = keras.Input((frames, num_mel_bins), name="audio")
    present = keras.Input((3,), dtype="bool", name="present")

    t = ZeroAbsent()(text, present[:, 0])
    v = ZeroAbsent()(image, present[:, 1])
    a = ZeroAbsent()(audio, present[:, 2])
    t = text_rnn.build(vocabulary_size, width=width)(t)  # (batch, width)
    v = image_cnn.build(image_size, filters=filters, width=width)(v)
    a = audio_cnn.build(frames, num_mel_bins, filters=filters, width=width)(a)

    x = GatedFusion(width, name="fusion")([t, v, a], present=present)  # (batch, width)
    x = keras.layers.Dropout(dropout)(x)
    label = classification.head(x, num_classes)  # (batch, num_classes)

    return keras.Model([text, image, audio, present], {"label": label}, name=name)
