"""What fusion layers check when they are built."""


def check_embeddings(layer, shapes):
    """Checks that `layer` is called on a list of embeddings.

    Args:
        layer: The fusion layer, for its name.
        shapes: What Keras hands to `build`.

    Raises:
        ValueError: If it is not a list, or an item is not `(batch, width)`.
    """
    check_list(layer, shapes)
    if any(len(shape) != 2 for shape in shapes):
        raise ValueError(
            f"`{type(layer).__name__}` fuses embeddings of shape (batch, width). Pool "
            f"a sequence first. Received: shapes={shapes}."
        )


def check_list(layer, shapes):
    """Checks that `layer` is called on a list of one or more tensors.

    Raises:
        ValueError: If it is not.
    """
    if not shapes or not isinstance(shapes[0], (list, tuple)):
        raise ValueError(
            f"`{type(layer).__name__}` fuses a list of one or more tensors. "
            f"Received: shapes={shapes}."
        )
