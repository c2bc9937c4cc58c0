"""Classes by their names: vectors of templates, and probabilities."""

import numpy as np
import pytest

from mbm_keras.evaluation import label_vectors
from mbm_keras.evaluation import zero_shot_probabilities

AXES = {
    "a cat": [1, 0, 0],
    "one cat": [0, 1, 0],
    "a dog": [0, 0, 1],
    "one dog": [0, 0, 1],
}


def embed(texts):
    return np.array([AXES[text] for text in texts], "float32")


def test_a_label_is_the_mean_of_its_templates_of_length_1():
    vectors = label_vectors(embed, ["cat", "dog"], ["a {}", "one {}"])
    np.testing.assert_allclose(vectors, [[0.5**0.5, 0.5**0.5, 0], [0, 0, 1]], atol=1e-6)


def test_probabilities_of_clip_sum_to_1_and_those_of_siglip_do_not():
    values, labels = np.eye(3)[:2], np.eye(3)
    shares = zero_shot_probabilities(values, labels, scale=2.0, bias=0, kind="clip")
    top = np.exp(2) / (np.exp(2) + 2)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_allclose(np.diag(shares), top)
    alone = zero_shot_probabilities(values, labels, scale=2.0, bias=-1, kind="siglip")
    np.testing.assert_allclose(np.diag(alone), 1 / (1 + np.exp(-1)))
    np.testing.assert_allclose(alone[0, 1:], 1 / (1 + np.exp(1)))


@pytest.mark.parametrize(
    "labels, templates, message",
    [
        (["cat"], ["{}"], "two labels or more.*'cat'"),
        (["cat", "cat"], ["{}"], "each of them once"),
        (["cat", "dog"], ["a photo"], "templates with {}. Received: .'a photo'."),
        (["cat", "dog"], [], "templates with {}"),
    ],
)
def test_wrong_labels_and_templates_are_errors(labels, templates, message):
    with pytest.raises(ValueError, match=message):
        label_vectors(embed, labels, templates)
