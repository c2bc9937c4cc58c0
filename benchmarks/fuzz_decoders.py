"""The two ways in which a file is decoded: the pipeline and the served graph."""

import functools
import tempfile

import numpy as np
from fuzz_seeds import CLIPS
from fuzz_seeds import IMAGES


def preprocessor_of(kind):
    """What decodes the files of a kind."""
    from mbm_keras.preprocessing import Frames
    from mbm_keras.preprocessing import LogMel
    from mbm_keras.preprocessing import Pixels
    from mbm_keras.preprocessing import Points

    if kind in IMAGES:
        return Pixels(8)
    if kind == "PCD":
        return Points(50)
    if kind in CLIPS and kind != "SOUNDTRACK":
        return Frames(4, 8)
    return LogMel(8_000, 0.2, 8)


def save_graph(kind, folder):
    """Writes the SavedModel that decodes a kind, as a served model does."""
    import tensorflow as tf

    from mbm_keras.preprocessing import Features
    from mbm_keras.preprocessing.features import decode_values

    features = Features(x=preprocessor_of(kind))
    features.serve = tf.function(
        lambda raw: decode_values(features.by_key["x"], raw),
        [tf.TensorSpec((None,), tf.string)],
    )
    tf.saved_model.save(features, folder)


class Decoders:
    """The pipeline and the served graph of one kind."""

    def __init__(self, kind):
        import tensorflow as tf

        from data_pipelines.formats.transcode import transcode
        from mbm_keras.preprocessing import Features

        self.preprocessor = preprocessor_of(kind)
        self.convert = functools.partial(
            transcode,
            modality=self.preprocessor.modality,
            preprocessor=self.preprocessor,
        )
        self.features = Features(x=self.preprocessor)
        signature = [tf.TensorSpec((None,), tf.string)]
        self.pipeline = tf.function(
            lambda raw: self.features.decode_input("x", raw), signature
        )
        with tempfile.TemporaryDirectory() as folder:
            save_graph(kind, folder)
            self.served = tf.saved_model.load(folder)

    def explains(self, data):
        """Whether there is a reason for a file that is rejected."""
        try:
            return self.features.explain("x", self.convert(data))
        except ValueError as error:
            return str(error)

    def read(self, raw):
        """Decodes files both ways.

        Returns:
            Status of each in the pipeline; how many are wrong; and how many differ.
        """
        import tensorflow as tf

        from data_pipelines import stores
        from data_pipelines.stores.paths import Paths

        transcoded, rejected = stores.read_cells(Paths(""), "x", raw, self.convert)
        arrays, states = (x.numpy() for x in self.pipeline(tf.constant(transcoded)))
        served, served_states = (x.numpy() for x in self.served.serve(tf.constant(raw)))
        states = states.copy()
        states[list(rejected)] = 2
        wrong = differ = 0
        for i in range(len(raw)):
            wrong += not np.isfinite(arrays[i]).all() or (
                states[i] != 0 and arrays[i].any()
            )
            if transcoded[i] == raw[i]:
                same = states[i] == served_states[i]
                differ += not (same and np.array_equal(arrays[i], served[i]))
        return states, int(wrong), int(differ)
