"""The confusion matrix."""

import numpy as np

from mbm_keras.metrics import confusion


def test_a_row_per_true_label_and_a_column_per_predicted_label():
    predicted = np.eye(3)[[0, 2, 2, 1, 2]]
    counts = confusion(predicted, np.array([0, 0, 0, 1, 2]), 3)
    np.testing.assert_array_equal(counts, [[1, 0, 2], [0, 1, 0], [0, 0, 1]])
