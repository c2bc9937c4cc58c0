"""image_classifier, used as Keras's own tutorials use a model."""

import keras
import numpy as np

from mbm_keras.inputs import InputSpec
from mbm_keras.models import image_classifier
from mbm_keras.tasks import Classification


def test_learns_one_hot_labels_with_a_loss_by_name():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 96)
    x = np.zeros((96, 16, 16, 3), "uint8")
    for image, label in zip(x, y, strict=True):
        top, left = divmod(label, 2)
        image[top * 8 : top * 8 + 7, left * 8 : left * 8 + 7] = 60 + 40 * label
    keras.utils.set_random_seed(0)
    model = image_classifier.build(
        inputs=[InputSpec("image", "image", dict(size=16))],
        task=Classification(4, activation="softmax"),
        filters=(8, 16),
        dropout=0.0,
    )
    model.compile(
        keras.optimizers.Adam(3e-3), "categorical_crossentropy", metrics=["accuracy"]
    )
    history = model.fit(x, np.eye(4)[y], batch_size=16, epochs=12, verbose=0).history
    assert history["accuracy"][-1] > 0.95 and history["loss"][-1] < 0.3


def test_answers_with_probabilities_of_256_pixels():
    model = image_classifier.build(
        inputs=[InputSpec("image", "image", dict(size=256))],
        task=Classification(5, activation="softmax"),
        filters=(4, 8),
        units=8,
    )
    image = np.random.default_rng(0).integers(0, 256, (2, 256, 256, 3)).astype("uint8")
    answer = keras.ops.convert_to_numpy(model(image)["label"])
    assert answer.shape == (2, 5) and (answer > 0).all()
    np.testing.assert_allclose(answer.sum(axis=1), 1.0, atol=1e-5)
