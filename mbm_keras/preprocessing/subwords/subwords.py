"""One UTF-8 string to the ids of its subwords."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Self

import numpy as np
import tensorflow as tf

from mbm_keras.preprocessing.subwords.folder import read_folder
from mbm_keras.preprocessing.subwords.joining import bytes_of_pieces
from mbm_keras.preprocessing.subwords.learn import learn
from mbm_keras.preprocessing.subwords.model import make_model
from mbm_keras.preprocessing.subwords.normalize import Normalize
from mbm_keras.preprocessing.subwords.spec import Spec
from mbm_keras.preprocessing.subwords.split import Split
from mbm_keras.preprocessing.subwords.tokens import Tokens
from mbm_keras.preprocessing.text import is_utf_8


class Subwords(tf.Module):
    """Splits a string into the pieces of a published or learned vocabulary.

    The ids are those of Hugging Face's `tokenizers`, in TensorFlow operations alone,
    so that a served model needs no tokenizer.

        words = Subwords.from_folder("all-MiniLM-L6-v2")
        words = Subwords.learn(texts, kind="bpe", size=8_000)
        words.encode(tf.constant(["a text"]))       # {"token_ids": ..., "mask": ...}

    Special pieces that a user writes, such as `[CLS]` or `<|endoftext|>`, are split
    like any other text. Deviation: Hugging Face takes them for the special ids.

    Args:
        spec: The tokenizer, see `Spec`; or what its `config` returned.
        sequence_length: Number of ids, those before and after the text included; longer
            text is cut, shorter is padded. None until `adapt` has measured the longest
            text, `longest` at most.
        longest: The greatest `sequence_length` that `adapt` chooses. None: the limit of
            the tokenizer, or 512.
        column: The raw column, where the input has another name; empty if not.

    Returns:
        From a string, `(sequence_length,)` int32: `1 + id`; 0 = padding. A string that
        is not valid UTF-8 is corrupt. A text without a piece, such as a space, has the
        ids before and after it, and may have none.

    Raises:
        ValueError: If a part of the tokenizer is of a kind that is not here, or there
            is no room for a piece.
    """

    modality = "text"
    pads_end = True  # see `Preprocessor`
    raw = tf.TensorSpec((), tf.string)

    def __init__(
        self,
        spec: Spec | Mapping[str, Any],
        sequence_length: int | None = None,
        longest: int | None = None,
        column: str = "",
    ):
        super().__init__(name="subwords")
        self.column = column
        spec = spec if isinstance(spec, Spec) else Spec.from_config(spec)
        self._spec = (spec,)  # a `tf.Module` would track what is in it
        self.longest = longest or spec.limit or 512
        self.normalize = Normalize(spec.normalizers)
        spaces = {piece: i for i in spec.spaces if (piece := spec.pieces[i])}
        self.split = Split(spec.pre_tokenizers, list(spaces))
        self.tokens = Tokens(make_model(spec), spec.digest(), spaces)
        self.sequence_length = None
        self.room = 0  # for ids of the text
        self.array = None  # until `adapt`, like the length
        if sequence_length is not None:
            self._set_length(sequence_length)

    @classmethod
    def from_folder(
        cls, folder, sequence_length: int | None = None, longest: int | None = None
    ) -> Self:
        """Reads the tokenizer of a local Hugging Face folder.

        Args:
            folder: Holds `tokenizer.json`, or `vocab.txt`, or `vocab.json` and
                `merges.txt`; `tokenizer_config.json` where there is one.
            sequence_length: As for the class.
            longest: As for the class.

        Raises:
            ValueError: If it holds none, or a tokenizer of another kind.
        """
        return cls(read_folder(folder), sequence_length, longest)

    @classmethod
    def learn(
        cls,
        texts: Sequence[str],
        kind: str = "bpe",
        size: int = 8_000,
        sequence_length: int | None = None,
        longest: int | None = None,
    ) -> Self:
        """Learns a vocabulary. It needs the package `tokenizers`.

        Args:
            texts: Strings of the training split.
            kind: `"bpe"` (on bytes, as GPT-2), `"wordpiece"` (as BERT, in lower case)
                or `"unigram"` (as SentencePiece).
            size: The most pieces; few texts have fewer.
            sequence_length: As for the class.
            longest: As for the class.

        Raises:
            ImportError: If `tokenizers` is not installed.
            ValueError: If there is no such kind, or nothing to learn from.
        """
        return cls(learn(texts, kind, size), sequence_length, longest)

    @property
    def spec(self) -> Spec:
        """The tokenizer as plain data."""
        return self._spec[0]

    @property
    def num_special(self) -> int:
        """How many ids are before and after those of a text."""
        return len(self.spec.before) + len(self.spec.after)

    def adapt(self, values) -> None:
        """Measures the longest text, where `sequence_length` is None.

        Args:
            values: Strings of the training split, as an array or a list. Empty strings
                are skipped.

        Raises:
            ValueError: If they hold no piece.
        """
        longest = int(self.count(values).max(initial=0))
        if longest == 0:
            raise ValueError(
                "Expected a word in the texts of the training split. Received: "
                f"{len(values)} texts, no word."
            )
        if self.sequence_length is None:
            self._set_length(min(longest + self.num_special, self.longest))

    def _set_length(self, length):
        if length <= self.num_special:
            raise ValueError(
                f"Expected a sequence_length above {self.num_special}, the number of "
                f"ids around each text. Received: sequence_length={length}."
            )
        self.sequence_length = length
        self.room = length - self.num_special
        self.array = tf.TensorSpec((length,), tf.int32)

    def __call__(self, texts) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The ids of texts, without those around them.

        Args:
            texts: `(batch,)` strings.

        Returns:
            All ids, `(n,)` int32; `(batch + 1,)` int32, where each text begins and ends
            in them; and `(batch,)` bool, which are valid UTF-8.
        """
        texts, valid = self.normalize(texts)
        words, splits = self.split(texts)
        return *self.tokens(words, splits), valid

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Strings to `(batch, sequence_length)` int32; and which were decoded."""
        ids, splits, valid = self(batch)
        ok = valid & (batch != "")
        array = self._arrange(ids + 1, splits, self.room)
        array = tf.ensure_shape(array, (None, self.sequence_length))
        return tf.where(ok[:, None], array, 0), ok

    def _arrange(self, values, splits, room):
        """Values of texts with the ids around them, in rows of `room` and these."""
        before, after = self.spec.before, self.spec.after
        rows = tf.raw_ops.RaggedTensorToTensor(
            shape=tf.stack([-1, room]),
            values=values,
            default_value=0,
            row_partition_tensors=[splits],
            row_partition_types=["ROW_SPLITS"],
        )
        rows = tf.pad(rows, [[0, 0], [len(before), len(after)]])
        column = tf.range(room + self.num_special)
        for step, id_ in enumerate(before):
            rows = tf.where(column == step, id_ + 1, rows)
        end = len(before) + tf.minimum(splits[1:] - splits[:-1], room)[:, None]
        for step, id_ in enumerate(after):
            rows = tf.where(column == end + step, id_ + 1, rows)
        return rows

    def encode(self, texts) -> dict[str, tf.Tensor]:
        """Strings to the inputs of a published encoder.

        Args:
            texts: `(batch,)` strings; an empty one is a text here.

        Returns:
            `token_ids`, `(batch, length)` int32, padded with the id of the tokenizer;
            and `mask`, the same shape, bool, False where it is padding. The length is
            `sequence_length`, or where it is None that of the longest text, `longest`
            at most.
        """
        ids, splits, _ = self(texts)
        room = self.room
        if self.sequence_length is None:
            longest = tf.reduce_max(tf.pad(splits[1:] - splits[:-1], [[0, 1]]))
            room = tf.minimum(longest, self.longest - self.num_special)
        array = self._arrange(ids + 1, splits, room)
        mask = array > 0
        return {"token_ids": tf.where(mask, array - 1, self.spec.padding), "mask": mask}

    def join(self, ids) -> tf.Tensor:
        """What ids write, for a tokenizer of BPE on bytes: the text that they are of.

        Args:
            ids: `(batch, steps)` int32, `1 + id`; 0 = padding.

        Returns:
            `(batch,)` strings. Special ids write nothing; a text that was cut within a
            character ends with U+FFFD.

        Raises:
            ValueError: If the tokenizer is of another kind.
        """
        pieces = tf.gather(bytes_of_pieces(self.spec), ids)
        texts = tf.strings.reduce_join(pieces, axis=-1)
        return tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")

    def count(self, values) -> np.ndarray:
        """How many ids each string has, those around it not counted: `(batch,)`."""
        counts = [np.zeros(0, "int64")]
        for start in range(0, len(values), 1024):
            batch = tf.constant(list(values[start : start + 1024]), tf.string)
            counts.append(np.diff(self(batch)[1].numpy()))
        return np.concatenate(counts)

    def find_cut(self, values) -> np.ndarray:
        """Which strings have more ids than there is room for, `(batch,)` bool."""
        return self.count(values) > self.room

    def explain(self, value: bytes) -> str:
        """Why a string cannot be decoded."""
        return "" if is_utf_8(tf.constant([value]))[0] else "not valid UTF-8"

    def check_fit(self, vocabulary_size: int) -> None:
        """Checks that an embedding has a row for each id.

        Args:
            vocabulary_size: Number of rows of the embedding.

        Raises:
            ValueError: If it has too few. More are usual: sizes are rounded up.
        """
        if vocabulary_size < len(self.spec.pieces):
            raise ValueError(
                "Expected an embedding with a row for each piece of the tokenizer. "
                f"Received: vocabulary_size={vocabulary_size}, "
                f"pieces={len(self.spec.pieces)}."
            )

    def sizes(self) -> dict:
        """`vocabulary_size`, padding included."""
        return {"vocabulary_size": len(self.spec.pieces) + 1}

    def config(self) -> dict:
        """The arguments, with what was read, learned and measured."""
        return {
            "spec": self.spec.config(),
            "sequence_length": self.sequence_length,
            "longest": self.longest,
            "column": self.column,
        }

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)
