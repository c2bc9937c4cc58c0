"""Variables that a callback reads and writes in the middle of an epoch."""

import contextlib


@contextlib.contextmanager
def live(model):
    """Variables are what the last step made of them, and the next step sees changes.

    On JAX the steps of an epoch hand their state on among themselves, past the
    variables; on TensorFlow this does nothing.

    Args:
        model: The model that is trained.
    """
    sync = getattr(model, "jax_state_sync", None)
    if sync is not None:
        sync()
    yield
