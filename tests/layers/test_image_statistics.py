"""Statistics of images: those of the plain pipeline."""

import keras
import numpy as np
import tensorflow as tf

from mbm_keras.layers import ImageStatistics
from tests.helpers import numpy


def statistics(images, **options):
    """Small pixels, shares of colors, and gradients of one image."""
    layer = ImageStatistics(side=2, cells=1, **options)
    found = numpy(layer(np.asarray(images, "float32")[None]))[0]
    return np.split(found, [2 * 2 * 3, 2 * 2 * 3 + layer.colors**3])


def test_small_pixels_are_means_of_areas():
    image = np.zeros((5, 5, 3))
    image[:2, :2] = 1.0  # the first area ends at floor(2.5)
    small, _, _ = statistics(image)
    np.testing.assert_allclose(small, [1, 1, 1] + 9 * [0], atol=1e-6)


def test_colors_are_shares_of_the_pixels():
    image = np.zeros((8, 8, 3))
    image[:2] = 1.0, 1.0, 0.0
    _, colors, _ = statistics(image, colors=2)
    np.testing.assert_allclose(colors, [0.75, 0, 0, 0, 0, 0, 0.25, 0], atol=1e-6)


def test_gradients_count_in_their_direction():
    ramp = np.linspace(0, 1, 9)
    columns = np.broadcast_to(ramp[None, :, None], (9, 9, 3))
    rows = np.broadcast_to(ramp[:, None, None], (9, 9, 3))
    _, _, across = statistics(columns, directions=4)
    _, _, down = statistics(rows, directions=4)
    np.testing.assert_allclose(across, [1, 0, 0, 0], atol=1e-5)
    np.testing.assert_allclose(down, [0, 0, 1, 0], atol=1e-5)


def test_an_image_of_one_color_gives_finite_values():
    assert np.isfinite(np.concatenate(statistics(np.full((8, 8, 3), 0.5)))).all()


def test_is_saved_with_its_arguments_and_knows_its_size():
    layer = ImageStatistics(side=2, cells=1, directions=4, colors=2)
    again = ImageStatistics.from_config(layer.get_config())
    shape = again.compute_output_spec(keras.KerasTensor((None, 8, 8, 3))).shape
    assert shape == (None, 2 * 2 * 3 + 2**3 + 4)


def test_takes_images_whose_size_the_graph_does_not_know():
    layer = ImageStatistics(side=2, cells=1)
    layer.build((None, 8, 8, 3))
    images = np.random.default_rng(0).random((2, 8, 8, 3)).astype("float32")
    unknown = tf.TensorSpec((None, None, None, 3), tf.float32)
    found = tf.function(layer.__call__, input_signature=[unknown])(images)
    np.testing.assert_allclose(found, numpy(layer(images)), atol=1e-6)


def test_an_image_has_the_same_statistics_in_every_batch():
    # Bars in eight directions: edges at whole fractions of a circle.
    i = np.arange(32, dtype="float32")
    bars = [(np.add.outer(a * i, b * i) % 8 < 4) for a in (-1, 0, 1) for b in (0, 1)]
    images = np.repeat(np.stack(bars)[..., None], 3, axis=-1).astype("float32")
    layer = ImageStatistics()
    together = numpy(layer(images))
    alone = np.concatenate([numpy(layer(images[j : j + 1])) for j in range(6)])
    np.testing.assert_allclose(together, alone, atol=1e-5)
