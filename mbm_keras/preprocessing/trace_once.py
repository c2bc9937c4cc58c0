"""Steps of decoding that are traced once in a process."""

import functools
from collections.abc import Callable

import tensorflow as tf


def trace_once(*specs: tf.TensorSpec) -> Callable[[Callable], Callable]:
    """Decorates a function of tensors: all graphs that call it share its trace.

    Tracing takes up to a second, and a process has many graphs with the same step: one
    per column, size and export. Outside of a graph the function runs as it is.

    Args:
        specs: `tf.TensorSpec` of each argument.

    Returns:
        The decorator.
    """

    def decorate(function):
        traced = tf.function(function, input_signature=specs, autograph=False)

        @functools.wraps(function)
        def call(*tensors):
            return (traced if tf.inside_function() else function)(*tensors)

        return call

    return decorate
