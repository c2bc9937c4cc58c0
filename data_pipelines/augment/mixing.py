"""Random changes that mix rows with each other."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence

import tensorflow as tf

from data_pipelines.batching import row_random
from data_pipelines.batching.names import PRESENT


def mixup(
    alpha: float = 0.2, inputs: Sequence[str] | None = None
) -> Callable[[dict, dict, tf.Tensor], tuple[dict, dict]]:
    """Mixes each row with the row before it in the batch, targets included.

    x = l x_i + (1 - l) x_j, y = l y_i + (1 - l) y_j, l ~ Beta(alpha, alpha).

    Source: Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization",
    https://arxiv.org/abs/1710.09412. Deviation: l is the larger of the two shares, so
    that a row stays mostly itself; a row is not mixed if it and its partner do not have
    the same inputs.

    Args:
        alpha: In (0, 1]; the larger, the more even the mixture.
        inputs: Keys of the inputs to mix: images, sounds or numbers; None for all.

    Returns:
        A function of inputs by key, `present` included, targets by name, and keys
        `(batch,)`, for `batches`. The partner of a row depends on the batch.

    Raises:
        ValueError: If `alpha` is not in (0, 1]; when batches are made, if an input or
            a target has integers, such as ids of words or classes.
    """
    if not 0 < alpha <= 1:
        raise ValueError(f"Expected 0 < alpha <= 1. Received: alpha={alpha}.")

    def change(values, targets, keys):
        mixed = [key for key in values if key != PRESENT] if inputs is None else inputs
        _check_dtypes({key: values[key] for key in mixed}, targets)
        present = values[PRESENT]
        same = tf.reduce_all(present == tf.roll(present, 1, 0), axis=1)
        share = _larger_share(row_random.fold_in(keys, 1 << 40), alpha)
        share = tf.where(same, share, 1.0)  # (batch,)

        def mix(batch):
            own = tf.reshape(share, (-1, *[1] * (len(batch.shape) - 1)))
            x = tf.cast(batch, tf.float32)
            x = own * x + (1 - own) * tf.roll(x, 1, 0)
            x = x if batch.dtype.is_floating else tf.round(x)
            return tf.cast(x, batch.dtype)

        values = {key: mix(v) if key in mixed else v for key, v in values.items()}
        return values, {name: mix(target) for name, target in targets.items()}

    return change


def class_shares(
    num_classes: Mapping[str, int],
    mix: Callable[[dict, dict, tf.Tensor], tuple[dict, dict]] | None = None,
) -> Callable[[dict, dict, tf.Tensor], tuple[dict, dict]]:
    """Turns ids of classes into shares of them, which `mixup` can mix.

    Args:
        num_classes: Number of classes by name of the target.
        mix: What `mixup` returned; None for rows that are not mixed, as in validation.

    Returns:
        A function as `mixup` returns it, of targets `(batch,)` int.
    """

    def change(values, targets, keys):
        shares = {
            name: tf.one_hot(ids, num_classes[name]) if name in num_classes else ids
            for name, ids in targets.items()
        }
        return (values, shares) if mix is None else mix(values, shares, keys)

    return change


def _check_dtypes(values, targets):
    for key, value in values.items():
        if value.dtype not in (tf.uint8, tf.float32):
            raise ValueError(
                "Expected inputs of uint8 or float32 for mixup: name images, sounds or "
                f"numbers in `inputs`. Received: {key!r} of {value.dtype.name}."
            )
    for name, target in targets.items():
        if not target.dtype.is_floating:
            raise ValueError(
                "Expected float32 targets for mixup; `keras.ops.one_hot` makes them of "
                f"classes. Received: {name!r} of {target.dtype.name}."
            )


def _larger_share(keys, alpha, tries=16):
    """`(batch,)`, the larger of l and 1 - l, l ~ Beta(alpha, alpha).

    Source: Jöhnk 1964, "Erzeugung von betaverteilten und gammaverteilten
    Zufallszahlen", Metrika 8: u^(1/alpha) and v^(1/alpha), until their sum is at most
    1. For alpha up to 1, at most half of the draws fail. Deviation: 16 draws; if all
    fail, l = 1.
    """
    u, v = tf.split(row_random.uniform(keys, 2 * tries) ** (1 / alpha), 2, axis=1)
    total = u + v  # (batch, tries)
    good = (total <= 1) & (total > 0)
    first = tf.argmax(good, axis=1)
    share = tf.where(good, u / tf.where(good, total, 1.0), 1.0)
    share = tf.gather(share, first, batch_dims=1)  # (batch,)
    return tf.maximum(share, 1 - share)
