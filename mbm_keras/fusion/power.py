"""Power normalization, which bilinear fusions apply to their product."""

from typing import Any

from keras import ops


def power_normalize(x: Any, epsilon: float = 1e-4) -> Any:
    """The signed square root, divided by its Euclidean norm.

        r   = sign(x) sqrt(|x|)
        out = r / |r|

    Source: Perronnin et al. 2010, "Improving the Fisher Kernel for Large-Scale Image
    Classification", https://doi.org/10.1007/978-3-642-15561-1_11, sections 3.1 and 3.2.
    Deviation: r = x / sqrt(|x| + epsilon), which has a finite gradient at 0.

    Args:
        x: `(batch, width)`, float.
        epsilon: float > 0, how far from 0 the root is changed.

    Returns:
        `(batch, width)`, float.
    """
    root = x / ops.sqrt(ops.abs(x) + epsilon)
    norm = ops.sqrt(ops.sum(ops.square(root), axis=-1, keepdims=True) + epsilon)
    return root / norm
