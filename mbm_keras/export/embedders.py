"""Signatures of a SavedModel that embed one raw input."""

import tensorflow as tf

from mbm_keras.export.padding import cut_padding
from mbm_keras.export.trace_first import trace_first
from mbm_keras.inputs import embedding_name


def add_embedder(archive, encoder, features, key):
    """Adds the signature `embed_<key>`.

    It takes `(batch,)` raw values of the input by the keys of its columns: strings,
    encoded images, WAV bytes, or float64; and returns

        embedding   `(batch, width)` float32 of length 1; zeros where the value is
                    absent or cannot be decoded
        status      `ok`, `absent` or `corrupt`, see `export.save`

    Args:
        archive: A `keras.export.ExportArchive` that tracks the model and the features.
        encoder: A functional `keras.Model` of one input.
        features: The `mbm_keras.preprocessing.Features`.
        key: Key of the input.
    """
    preprocessor = features.by_key[key]
    names = features.columns()[key]
    signature = {name: features.raw_signature()[name] for name in names}

    def embed(raw):
        if not isinstance(preprocessor.raw, dict):
            (raw,) = raw.values()
        arrays, status = features.decode_input(key, raw)
        words = tf.gather(tf.constant(features.statuses), tf.cast(status, tf.int32))
        known = (words == "ok") | (words == "partial")
        vectors = encoder(cut_padding({key: arrays}, features, encoder)[key])
        vectors = tf.where(known[:, None], vectors, tf.zeros_like(vectors))
        return {"embedding": vectors, "status": words}

    archive.add_endpoint(embedding_name(key), trace_first(embed, [signature]))
