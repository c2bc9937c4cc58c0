"""Functions of a SavedModel that are traced once."""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import tensorflow as tf


def trace_first(function: Callable, signatures: Sequence[Any]) -> Callable:
    """A function of one argument whose graphs are made now.

    `tf.saved_model.save` traces every function a second time, which takes seconds for a
    model with decoders. What it traces of this one is a call of the graph.

    Args:
        function: A function of a tensor, or of a list or dict of tensors.
        signatures: `tf.TensorSpec` in the structure of the argument, one structure for
            each graph. The first is the one of the signature that is served.

    Returns:
        A `tf.function`, traced for all signatures.
    """
    traced = tf.function(function, autograph=False)
    graphs = {}
    for signature in signatures:
        graphs.setdefault(_types(signature), traced.get_concrete_function(signature))

    @tf.function(autograph=False)
    def call(argument):
        return graphs[_types(argument)](argument)

    for signature in signatures:
        call.get_concrete_function(signature)
    return call


def _types(argument):
    return tuple(tensor.dtype for tensor in tf.nest.flatten(argument))
