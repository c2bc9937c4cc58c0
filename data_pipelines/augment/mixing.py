"""Changes that mix rows with each other."""

import tensorflow as tf

from data_pipelines.batching import row_random


def mixup(alpha=0.2, inputs=None):
    """Mixes every row with the next one of its batch, targets and all.

    x = l x_i + (1 - l) x_j, y = l y_i + (1 - l) y_j, l drawn from Beta(alpha, alpha).

    Source: Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization",
    https://arxiv.org/abs/1710.09412. Deviation: l is the larger of the two shares, so
    that a row stays mostly itself; a row is left alone where it and its partner do not
    have the same of the mixed inputs.

    Args:
        alpha: In (0, 1]; the larger, the more even the mixture.
        inputs: Names of the inputs to mix, pictures, sounds or numbers; None for all.

    Returns:
        A function of inputs by name, `present` among them, targets by name and keys,
        for `batches`. Who the partner is depends on the batch.

    Raises:
        ValueError: If `alpha` is not in (0, 1]. When batches are made, if an input or
            a target is of whole numbers, such as the ids of words or classes.
    """
    if not 0 < alpha <= 1:
        raise ValueError(f"`alpha` must be in (0, 1]. Received: alpha={alpha}.")

    def change(values, targets, keys):
        names = [n for n in values if n != "present"] if inputs is None else inputs
        for name in names:
            if values[name].dtype not in (tf.uint8, tf.float32):
                raise ValueError(
                    "Only pictures, sounds and numbers can be mixed: name them in "
                    f"`inputs`. Received: {name!r} of {values[name].dtype.name}."
                )
        for name, target in targets.items():
            if not target.dtype.is_floating:
                raise ValueError(
                    "mixup takes targets of float32, classes as `keras.ops.one_hot` "
                    f"gives them. Received: {name!r} of {target.dtype.name}."
                )
        here = values["present"]
        same = tf.reduce_all(here == tf.roll(here, 1, 0), axis=1)
        share = tf.where(
            same, _larger_share(row_random.other(keys, 1 << 40), alpha), 1.0
        )

        def mixed(batch):
            part = tf.reshape(share, (-1, *[1] * (len(batch.shape) - 1)))
            kept = tf.cast(batch, tf.float32)
            made = part * kept + (1 - part) * tf.roll(kept, 1, 0)
            made = made if batch.dtype.is_floating else tf.round(made)
            return tf.cast(made, batch.dtype)

        values = {n: mixed(v) if n in names else v for n, v in values.items()}
        return values, {name: mixed(target) for name, target in targets.items()}

    return change


def _larger_share(keys, alpha, tries=16):
    """`(batch,)`, the larger of l and 1 - l, l of Beta(alpha, alpha).

    Drawn as Jöhnk 1964 does: u^(1/alpha) and v^(1/alpha), until their sum is below 1.
    At most every second try fails, for alpha up to 1.
    """
    u, v = tf.split(row_random.uniform(keys, 2 * tries) ** (1 / alpha), 2, axis=1)
    total = u + v
    good = (total <= 1) & (total > 0)
    first = tf.argmax(good, axis=1)
    share = tf.where(good, u / tf.where(good, total, 1.0), 1.0)
    share = tf.gather(share, first, batch_dims=1)
    return tf.maximum(share, 1 - share)
