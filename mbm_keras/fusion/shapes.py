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


MOST_WEIGHTS = 50_000_000  # 200 megabytes, and three times that with Adam


def check_size(layer, weights, advice):
    """Checks that a layer does not ask for an absurd number of weights.

    Args:
        layer: The fusion layer, for its name.
        weights: How many its largest variable would have.
        advice: What to choose smaller.

    Raises:
        ValueError: If they are more than `MOST_WEIGHTS`.
    """
    if weights > MOST_WEIGHTS:
        raise ValueError(
            f"`{type(layer).__name__}` would have {weights:,} weights in one variable, "
            f"more than {MOST_WEIGHTS:,}: {advice}."
        )
