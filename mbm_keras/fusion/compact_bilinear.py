"""Compact bilinear fusion: a sketch of the outer product."""

from typing import Any

import keras
import numpy as np
from keras import ops

from mbm_keras.fusion.dense import dense
from mbm_keras.fusion.half import cast_down
from mbm_keras.fusion.half import cast_up
from mbm_keras.fusion.power import power_normalize
from mbm_keras.fusion.shapes import check_embeddings
from mbm_keras.fusion.shapes import check_size


@keras.saving.register_keras_serializable(package="mbm_keras.fusion.compact_bilinear")
class CompactBilinearFusion(keras.layers.Layer):
    """Computes a count sketch of each embedding and convolves the sketches.

        psi_i[h_i(j)] += s_i(j) x_i[j]
        z   = F^-1(prod_i F(psi_i))         over the present modalities
        out = W normalize(z) + b

    with h_i(j) a random index and s_i(j) a random sign, drawn once, F the Fourier
    transform, and `normalize` the signed square root, divided by its Euclidean norm.

    The convolution of the sketches is a sketch of the outer product of the embeddings.

    Source: Fukui et al. 2016, "Multimodal Compact Bilinear Pooling for Visual Question
    Answering and Visual Grounding", https://arxiv.org/abs/1606.01847, section 3.1.
    Deviations: any number of inputs, an absent one is left out of the product; the root
    of `power_normalize`. The hashes are weights that do not train, and are saved.

    Args:
        units: int > 0, width of the fused embedding.
        inner: int > 0, width of a sketch; 16,000 in the paper.
        seed: int, seed of the hashes.

    Call arguments:
        embeddings: List of `n` tensors `(batch, width_i)`, float.
        present: `(batch, n)` bool, True where a row has the input; None if all rows
            have all inputs.

    Returns:
        `(batch, units)`, float.

    Raises:
        ValueError: If called with anything but a list of embeddings, or a variable
            would have more than `MAX_WEIGHTS` weights.
    """

    takes_sequences = False

    def __init__(self, units: int, inner: int = 1_024, seed: int = 0, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units
        self.inner = inner
        self.seed = seed

    def build(self, shapes):
        check_embeddings(self, shapes)
        widest = max(shape[-1] for shape in shapes)
        check_size(self, max(widest, self.units) * self.inner, f"inner={self.inner}")
        rng = np.random.default_rng(self.seed)
        self.indices, self.signs = [], []
        for i, shape in enumerate(shapes):
            indices = rng.integers(0, self.inner, shape[-1]).astype("int32")
            signs = rng.choice([-1.0, 1.0], shape[-1]).astype("float32")
            self.indices.append(self._add_constant(f"indices_{i}", indices))
            self.signs.append(self._add_constant(f"signs_{i}", signs))
        self.mix = dense(self, self.inner, self.units, multiplies=True)

    def _add_constant(self, name, values):
        # Not cast in half precision, where 2,049 cannot be represented.
        return self.add_weight(
            values.shape,
            lambda shape, dtype: ops.convert_to_tensor(values, dtype),
            dtype=values.dtype.name,
            trainable=False,
            autocast=False,
            name=name,
        )

    def call(self, embeddings, present=None):
        embeddings = cast_up(self, embeddings)
        real, imaginary = 1.0, 0.0
        for i, x in enumerate(embeddings):
            one_hot = ops.one_hot(self.indices[i], self.inner, dtype="float32")
            sketch = (
                ops.cast(x, "float32") * self.signs[i]
            ) @ one_hot  # (batch, inner)
            re, im = ops.rfft(sketch)  # (batch, inner // 2 + 1) each
            if present is not None:
                present_i = present[:, i : i + 1]
                re = ops.where(present_i, re, ops.ones_like(re))
                im = ops.where(present_i, im, ops.zeros_like(im))
            real, imaginary = real * re - imaginary * im, real * im + imaginary * re
        z = ops.irfft((real, imaginary), fft_length=self.inner)  # (batch, inner)
        return cast_down(self, self.mix(power_normalize(z)))

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "inner": self.inner,
            "seed": self.seed,
        }
