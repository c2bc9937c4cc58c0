"""Images as sequences of square patches."""

from typing import Any

from keras import layers


def pair(size: int | list[int] | tuple[int, int]) -> tuple[int, int]:
    """Height and width, from one number or two."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def grid_of(image_size: int | tuple[int, int], patch_size: int) -> tuple[int, int]:
    """Rows and columns of patches; pixels that do not fill one are not used.

    Raises:
        ValueError: If there is none.
    """
    height, width = pair(image_size)
    grid = height // patch_size, width // patch_size
    if min(grid) < 1:
        raise ValueError(
            "Expected an image of at least one patch. "
            f"Received: image_size={image_size}, patch_size={patch_size}."
        )
    return grid


def embed_patches(
    pixels: Any, width: int, patch_size: int, name: str, use_bias: bool = True
) -> Any:
    """Adds one dense layer for all patches to a functional model.

    Args:
        pixels: `(batch, height, width, channels)`.
        width: int > 0, width of a patch's embedding.
        patch_size: int > 0, height and width of a patch.
        name: Name of the layer with the weights.
        use_bias: bool. False for a layer without bias.

    Returns:
        `(batch, rows * columns, width)`, row by row from the top left.
    """
    convolution = layers.Conv2D(
        width, patch_size, patch_size, use_bias=use_bias, name=name
    )
    x = convolution(pixels)  # (batch, rows, columns, width)
    return layers.Reshape((x.shape[1] * x.shape[2], width))(x)
