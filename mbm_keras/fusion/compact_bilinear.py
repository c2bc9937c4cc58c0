"""Compact bilinear fusion: the outer product, sketched."""

import keras
import numpy as np
from keras import ops

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.power import normalised
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.fusion.shapes import check_size


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.compact_bilinear")
class CompactBilinearFusion(keras.layers.Layer):
    """Sketches each embedding by a hash, and convolves the sketches.

        psi_i[h_i(j)] += s_i(j) x_i[j]      h_i(j) a place, s_i(j) a sign, once drawn
        z   = F^-1(prod_i F(psi_i))         over the present modalities
        out = W normalise(signed sqrt of z) + b

    The convolution of the sketches is a sketch of the outer product of the embeddings.

    Source: Fukui et al. 2016, "Multimodal Compact Bilinear Pooling for Visual Question
    Answering and Visual Grounding", https://arxiv.org/abs/1606.01847, section 3.1.
    Deviation: any number of inputs, an absent one is left out of the product; the root
    is smooth about 0. The hashes are weights that do not train, and are saved.

    Args:
        units: Width of the fused embedding.
        inner: Width of a sketch; 16,000 in the paper.
        seed: Seed of the hashes.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width_i)`.
        present: `(batch, n)` bool, or None if everything is present.

    Returns:
        `(batch, units)`.

    Raises:
        ValueError: If called with anything but a list of embeddings, or if a sketch
            would be absurd.
    """

    takes_sequences = False

    def __init__(self, units, inner=1_024, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.inner = inner
        self.seed = seed

    def build(self, shapes):
        check_embeddings(self, shapes)
        widest = max(shape[-1] for shape in shapes)
        check_size(
            self, max(widest, self.units) * self.inner, "choose a smaller `inner`"
        )
        rng = np.random.default_rng(self.seed)
        self.places, self.signs = [], []
        for i, shape in enumerate(shapes):
            places = rng.integers(0, self.inner, shape[-1]).astype("int32")
            signs = rng.choice([-1.0, 1.0], shape[-1]).astype("float32")
            self.places.append(self._drawn(f"places_{i}", places))
            self.signs.append(self._drawn(f"signs_{i}", signs))
        self.mix = dense(self, self.inner, self.units)

    def _drawn(self, name, values):
        # Kept as they are in half precision too: 2,049 is no float16.
        return self.add_weight(
            values.shape,
            lambda shape, dtype: ops.convert_to_tensor(values, dtype),
            dtype=values.dtype.name,
            trainable=False,
            autocast=False,
            name=name,
        )

    def call(self, embeddings, present=None):
        real, imaginary = 1.0, 0.0
        for i, x in enumerate(embeddings):
            where = ops.one_hot(self.places[i], self.inner, dtype="float32")
            sketch = (ops.cast(x, "float32") * self.signs[i]) @ where
            re, im = ops.rfft(sketch)  # (batch, inner // 2 + 1) each
            if present is not None:
                here = present[:, i : i + 1]
                re = ops.where(here, re, ops.ones_like(re))
                im = ops.where(here, im, ops.zeros_like(im))
            real, imaginary = real * re - imaginary * im, real * im + imaginary * re
        z = ops.irfft((real, imaginary), fft_length=self.inner)
        return self.mix(ops.cast(normalised(z), self.compute_dtype))

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "inner": self.inner,
            "seed": self.seed,
        }
