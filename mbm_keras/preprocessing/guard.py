"""Decode values with a function that may raise, without failing the batch."""

import tensorflow as tf

_FEW = 2


def decode_each(decode, values, spec, extra=()):
    """Decodes every value of a batch on its own.

    A graph has no `try`. `tf.data` has: `ignore_errors` leaves out the elements whose
    function raised, so each value goes through with its index, and the indices that
    arrive say which values were decoded.

    Args:
        decode: Maps one scalar string, and one element of each of `extra`, to one
            tensor, or to a structure of them. It may raise. It is not called for empty
            strings.
        values: `(batch,)` strings.
        spec: `tf.TensorSpec` of the result, or the same structure of them, with full
            shapes.
        extra: Tensors `(batch,)`, what else is known of each value.

    Returns:
        The results, `(batch, ...)` each, zeros where there is none; and `(batch,)`
        bool, which values were decoded.
    """
    total = tf.shape(values, out_type=tf.int64)[0]
    index = tf.where(values != "")[:, 0]  # (n,)
    number = tf.size(index, out_type=tf.int64)
    parts = tuple(tf.gather(x, index) for x in (values, *extra))
    rows = tf.data.Dataset.from_tensor_slices((index, *parts))
    signature = [tf.TensorSpec((), x.dtype) for x in parts]

    @tf.function(autograph=False, input_signature=signature)
    def decode_one(*parts):
        result = decode(*parts)
        return tf.nest.map_structure(
            lambda x, s: tf.ensure_shape(x, s.shape), result, spec
        )

    def nothing():
        empty = tf.nest.map_structure(lambda s: tf.zeros((0, *s.shape), s.dtype), spec)
        return tf.zeros((0,), tf.int64), empty

    def run(parallel):
        done = rows.map(lambda i, *parts: (i, decode_one(*parts)), parallel)
        done = done.ignore_errors().batch(number)
        done = done.concatenate(tf.data.Dataset.from_tensors(nothing()))
        return done.take(1).get_single_element()

    # Threads cost more than they save where there are few values.
    way = tf.cast(number > 0, tf.int32) + tf.cast(number > _FEW, tf.int32)
    done, results = tf.switch_case(
        way, [nothing, lambda: run(None), lambda: run(tf.data.AUTOTUNE)]
    )
    decoded = tf.scatter_nd(done[:, None], tf.ones_like(done, tf.bool), total[None])
    all_done = tf.size(done, out_type=tf.int64) == total

    def fill(x):
        shape = tf.concat([total[None], tf.shape(x, out_type=tf.int64)[1:]], axis=0)
        return tf.cond(
            all_done, lambda: x, lambda: tf.scatter_nd(done[:, None], x, shape)
        )

    results = tf.nest.map_structure(fill, results)
    results = tf.nest.map_structure(
        lambda x, s: tf.ensure_shape(x, (None, *s.shape)), results, spec
    )
    return results, tf.ensure_shape(decoded, (None,))


def explain(decode, value):
    """Says why a function of one value raises.

    Args:
        decode: As for `decode_each`.
        value: The bytes.

    Returns:
        The message of its error, in one line; empty if it does not raise.
    """
    try:
        decode(tf.constant(value))
    except Exception as error:  # noqa: BLE001 - any error is the explanation
        message = str(getattr(error, "message", None) or error)
        # The parts of the message of a failed check are on a line each, with quotes:
        # b'too long:' and 12.
        _, ours, parts = message.partition("Summarized data: ")
        if ours:
            lines = (line.strip() for line in parts.splitlines())
            return " ".join(x[2:-1] if x.startswith("b'") else x for x in lines)
        lines = [line for line in message.splitlines() if line.strip()]
        last = lines[-1].split(" [Op:")[0].split("}} ")[-1] if lines else ""
        return last or type(error).__name__
    return ""
