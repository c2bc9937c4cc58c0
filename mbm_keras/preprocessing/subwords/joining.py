"""Ids of subwords back to texts."""

import tensorflow as tf

from mbm_keras.preprocessing.subwords.byte_pairs import characters_of_bytes
from mbm_keras.preprocessing.subwords.spec import Spec


def bytes_of_pieces(spec: Spec) -> tf.Tensor:
    """The bytes that each id writes, `(1 + ids,)` strings, of BPE on bytes.

    The first is of padding, and empty, as those of special ids are.

    Raises:
        ValueError: If the tokenizer is of another kind.
    """
    if spec.kind != "bpe":
        raise ValueError(
            f"Expected a tokenizer of kind 'bpe', on bytes. Received: {spec.kind!r}."
        )
    to_byte = {c: b for b, c in enumerate(characters_of_bytes())}
    special = set(spec.special)
    found = [b""]
    for id_, piece in enumerate(spec.pieces):
        if piece is None or id_ in special:
            found.append(b"")
            continue
        end = bool(spec.suffix) and piece.endswith(spec.suffix)
        text = piece.removesuffix(spec.suffix) if end else piece
        known = set(text) <= to_byte.keys()
        written = bytes(to_byte[c] for c in text) if known else text.encode()
        found.append(written + b" " * end)
    return tf.constant(found)
