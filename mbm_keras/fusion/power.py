"""The power normalisation that bilinear products are given."""

from keras import ops


def normalised(x, epsilon=1e-4):
    """sign(x) sqrt(|x|), divided by its Euclidean length.

    Source: Perronnin et al. 2010, "Improving the Fisher Kernel for Large-Scale Image
    Classification", https://doi.org/10.1007/978-3-642-15561-1_11, sections 3.1 and 3.2.
    Deviation: x / sqrt(|x| + epsilon), the slope of which is finite at 0.

    Args:
        x: `(batch, width)`.
        epsilon: Where the root begins.
    """
    root = x / ops.sqrt(ops.abs(x) + epsilon)
    length = ops.sqrt(ops.sum(ops.square(root), axis=-1, keepdims=True) + epsilon)
    return root / length
