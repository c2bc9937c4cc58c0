"""Fusions give what the code of the papers' authors gave, with its weights.

`tests/models/parity/README.md` says which code. The inputs of those that take a signed
root are large: ours has a finite gradient at 0, and other values near it.
"""

import pathlib

import numpy as np
import pytest

from mbm_keras.fusion import FUSIONS
from tests.helpers import numpy

FOLDER = pathlib.Path(__file__).parent / "parity"
ARGUMENTS = {
    "block": dict(inner=8, num_chunks=2, rank=3),
    "mutan": dict(inner=6, rank=3),
    "tucker": dict(inner=4),
    "mlb": dict(inner=6),
    "mfb": dict(inner=6, num_factors=2),
    "mfh": dict(inner=6, num_factors=2),
}
# The authors' names of our dense layers, in our order.
NAMES = {
    "block": [
        *("linear0", "linear1"),
        *(f"merge_linears{i}.{chunk}" for chunk in range(2) for i in range(2)),
        "linear_out",
    ],
    "mutan": ["linear0", "linear1", "merge_linear0", "merge_linear1", "linear_out"],
    "tucker": ["linear0", "linear1", "bilinear", "linear_out"],
    "mlb": ["linear0", "linear1", "linear_out"],
    "mfb": ["linear0", "linear1", "linear_out"],
    "mfh": ["linear0_0", "linear1_0", "linear0_1", "linear1_1", "linear_out"],
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_products(name):
    reference = np.load(FOLDER / f"{name}.npz")
    x = [reference["x0"], reference["x1"]]
    fusion = FUSIONS[name](3, **ARGUMENTS[name])
    fusion(x)
    weights = []
    for layer in NAMES[name]:
        kernel = reference[f"{layer}.weight"]
        weights += [kernel.reshape(len(kernel), -1).T, reference[f"{layer}.bias"]]
    fusion.set_weights(weights)
    np.testing.assert_allclose(numpy(fusion(x)), reference["output"], rtol=1e-5)


def test_squeeze_excitation_has_the_gates_of_the_authors_times_two():
    reference = np.load(FOLDER / "squeeze_excitation.npz")
    x = [reference["x0"], reference["x1"]]
    fusion = FUSIONS["squeeze_excitation"](4, ratio=2)
    fusion(x)
    weights = []
    for name in ("fc_squeeze", "fc_visual", "fc_skeleton"):
        weights += [reference[f"{name}.weight"].T, reference[f"{name}.bias"]]
    identity = [np.eye(4), np.zeros(4)]  # the gates only, before the sum
    fusion.set_weights([*weights, *identity, *identity])
    gated = reference["visual"] + reference["skeleton"]
    np.testing.assert_allclose(numpy(fusion(x)), 2 * gated, atol=1e-5)


def test_product_of_experts():
    reference = np.load(FOLDER / "product_of_experts.npz")
    mean, log_variance = reference["mean"], reference["log_variance"]
    x = list(np.concatenate([mean, log_variance], axis=-1))
    fusion = FUSIONS["product_of_experts"](4)
    fusion(x)
    fusion.set_weights([np.eye(8), np.zeros(8)] * 2)
    fused, variance = fusion(x, return_variance=True)
    np.testing.assert_allclose(numpy(fused), reference["fused_mean"], atol=1e-5)
    expected = np.exp(reference["fused_log_variance"])
    np.testing.assert_allclose(numpy(variance), expected, atol=1e-5)
