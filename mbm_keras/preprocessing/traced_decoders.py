"""Decoders of the inputs of some features, each traced once."""

import threading

import tensorflow as tf


class TracedDecoders:
    """Traced decoders. A plain object, so that a SavedModel does not hold them."""

    def __init__(self):
        self._lock = threading.Lock()  # several batches are decoded at once
        self._known = {}

    def get(self, features, key, specs):
        """The decoder of a key for these specs, and for what is learned by now."""
        made_for = (features.by_key[key].config(), specs)
        with self._lock:
            if self._known.get(key, (None, None))[0] != made_for:
                function = tf.function(
                    lambda raw: features.decode_input(key, raw),
                    autograph=False,
                    input_signature=[specs],
                )
                # A single concrete function: TensorFlow warns of many traces.
                self._known[key] = made_for, function.get_concrete_function()
            return self._known[key][1]
