"""Text tower: word embeddings, convolutions over neighbouring words, one layer deep.

Source: Kim 2014, "Convolutional Neural Networks for Sentence Classification",
https://arxiv.org/abs/1408.5882. Deviations: filters of one word stand beside those
of three, where the paper has three, four and five, so that the tower is a bag of
words to begin with; the mean over the words for their maximum, which lets a gradient
through to every word.
"""

import keras
from keras import layers
from keras import ops

from mbm_keras.inputs import tower_name
from mbm_keras.layers import MaskedMean

PRESETS = {"tiny": dict(vocabulary_size=20, width=8)}


def build(
    vocabulary_size,
    *,
    width=128,
    sizes=(1, 3),
    dropout=0.0,
    pool=True,
    name="text",
):
    """Builds the tower.

    Args:
        vocabulary_size: Number of word ids, padding id 0 included.
        width: Size of an embedded word and of the output.
        sizes: Lengths of the filters, in words.
        dropout: Rate of dropout on the embedded words.
        pool: True for one embedding, False for one vector per word.
        name: Name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, steps)` int32 word ids, 0 = padding.
        Output: `(batch, width)` float32 if `pool`, in which padding does not
        count, else `(batch, steps, width)` with the padding as its Keras mask.
    """
    text = keras.Input((None,), dtype="int32", name=name)
    x = layers.Embedding(vocabulary_size, width, mask_zero=True)(text)
    x = layers.Dropout(dropout)(x)  # (batch, steps, width)
    x = WordConvolutions(width, sizes)(x)
    if pool:
        x = MaskedMean()(x)  # (batch, width)
    return keras.Model([text], x, name=tower_name(name))


@keras.saving.register_keras_serializable(package="mbm_keras.towers.text_cnn")
class WordConvolutions(layers.Layer):
    """Adds up convolutions of several lengths, to which padding says nothing.

        y = relu(sum_n conv_n(x))

    Args:
        width: Size of the output.
        sizes: Lengths of the filters, in words.

    Input shape:
        `(batch, steps, width)`, with a Keras mask `(batch, steps)` or none.

    Output shape:
        `(batch, steps, width)`, the mask untouched.
    """

    def __init__(self, width, sizes, **kwargs):
        super().__init__(**kwargs)
        self.width, self.sizes = width, tuple(sizes)
        self.supports_masking = True

    def build(self, shape):
        self.convolutions = []
        for size in self.sizes:
            convolution = layers.Conv1D(
                self.width, size, padding="same", dtype=self.dtype_policy
            )
            convolution.build(shape)
            self.convolutions.append(convolution)

    def call(self, sequence, mask=None):
        if mask is not None:
            sequence = sequence * ops.cast(mask, sequence.dtype)[..., None]
        return ops.relu(sum(c(sequence) for c in self.convolutions))

    def get_config(self):
        return {**super().get_config(), "width": self.width, "sizes": self.sizes}
