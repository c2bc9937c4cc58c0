"""Transcripts: texts of recordings as ids of their characters."""

import math
import unicodedata
from typing import Self

import numpy as np
import tensorflow as tf

# Kernel, stride and padding at each side of what is between frames and logits.
_CONVOLUTIONS = ((3, 2, 1), (3, 2, 1))
_LONGER = 2  # times the longest text of the training split
_SHOWN = 10  # characters in a reason


class Transcript:
    """The text of a recording, letter by letter: the target of a speech recognizer.

    Characters are those of Unicode's form C, upper and lower case apart; spaces of
    every kind are one space, and none is at the beginning or the end.

    Args:
        alphabet: The characters, in the order of their ids: character `i` is id `i +
            1`, and 0 is the blank, and padding. Empty until `adapt`.
        sequence_length: The most characters of a text; None until `adapt` has measured
            the longest text, of which it is twice the length, but no more than twice
            the steps of the longest sound.
        convolutions: Kernel, stride and padding at each side of every convolution over
            time between the frames of a sound, or its samples, and the logits of a
            model; they decide how many steps it has for a text.
        frames: Frames, or samples, of the longest sound; None for any length.
    """

    task = "transcription"
    output_kind = "logits"
    labels = ()

    def __init__(
        self,
        alphabet="",
        sequence_length=None,
        convolutions=_CONVOLUTIONS,
        frames=None,
    ):
        self.alphabet = "".join(alphabet)
        self.sequence_length = sequence_length
        self.convolutions = tuple(tuple(sizes) for sizes in convolutions)
        self.frames = frames

    @property
    def space(self) -> int:
        """Id of the space; 0 if no text has one."""
        return self.alphabet.find(" ") + 1

    @property
    def stride(self) -> int:
        """Frames, or samples, between two steps of the logits."""
        return math.prod(stride for _, stride, _ in self.convolutions)

    def num_steps(self, frames: np.ndarray) -> np.ndarray:
        """Steps of the logits of sounds.

        Args:
            frames: `(rows,)` int, frames or samples of each sound.
        """
        for kernel, stride, padding in self.convolutions:
            frames = np.maximum((frames + 2 * padding - kernel) // stride + 1, 0)
        return frames

    def task_arguments(self) -> dict:
        """Arguments of the task, its name excepted."""
        return {"vocabulary_size": len(self.alphabet) + 1, "space": self.space}

    def adapt(self, values) -> None:
        """Learns the characters, and the length that holds the longest text twice.

        Raises:
            ValueError: If the texts hold no character.
        """
        texts = [normalize(value) for value in values]
        self.alphabet = "".join(sorted(set().union(*texts)))
        if not self.alphabet.strip():
            raise ValueError(
                "Expected texts with characters in the training split. Received: "
                f"{len(texts)} texts without any."
            )
        if self.sequence_length is None:
            longest = _LONGER * max(map(len, texts))
            if self.frames is not None:
                # A text that is only a little too long is said to be so by its steps.
                most = _LONGER * max(1, int(self.num_steps(self.frames)))
                longest = min(longest, most)
            self.sequence_length = longest

    def encode(self, values) -> np.ndarray:
        """Ids `(rows, sequence_length)` int32, zeros where a text is not `known`."""
        ids = {character: i for i, character in enumerate(self.alphabet, 1)}
        encoded = np.zeros((len(values), self.sequence_length or 1), "int32")
        for row, value in enumerate(values):
            text = normalize(value)
            found = [ids.get(character, 0) for character in text]
            if all(found) and len(found) <= encoded.shape[1]:
                encoded[row, : len(found)] = found
        return encoded

    def known(self, encoded) -> np.ndarray:
        """`(rows,)` bool: which of the encoded texts a model can learn from."""
        return (np.asarray(encoded) > 0).any(axis=1).astype(bool)

    def explain(self, value) -> str:
        """Why a model cannot learn from a text."""
        text = normalize(value)
        if not text:
            return "a text without a character"
        unknown = sorted(set(text) - set(self.alphabet))
        if unknown:
            shown = ", ".join(map(repr, unknown[:_SHOWN]))
            more = f" and {len(unknown) - _SHOWN} more" * (len(unknown) > _SHOWN)
            return f"characters that no text of the training split has: {shown}{more}"
        return f"{len(text)} characters, more than {self.sequence_length}"

    def decode(self, outputs, name) -> dict:
        """Logits `(batch, steps, characters + 1)` to texts `(batch,)`, in a graph.

        The text is that of the most probable symbol of every step. Steps of zeros are
        padding.
        """
        best = tf.argmax(outputs, axis=-1, output_type=tf.int32)
        best = tf.where(tf.reduce_any(outputs != 0, axis=-1), best, 0)
        before = tf.pad(best[:, :-1], [[0, 0], [1, 0]])
        written = tf.where(best == before, 0, best)  # (batch, steps)
        symbols = tf.constant(["", *self.alphabet])
        return {name: tf.strings.reduce_join(tf.gather(symbols, written), axis=1)}

    def restore(self, answers) -> list:
        """Texts as `decode` returns them, as strings."""
        return [normalize(answer.decode()) for answer in np.asarray(answers).tolist()]

    def config(self) -> dict:
        """The arguments, with what `adapt` learned."""
        return {
            "alphabet": self.alphabet,
            "sequence_length": self.sequence_length,
            "convolutions": [list(sizes) for sizes in self.convolutions],
            "frames": self.frames,
        }

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)


def normalize(value: object) -> str:
    """A text in form C, with single spaces between its words.

    Args:
        value: A cell of a table; None is an empty text.
    """
    text = "" if value is None else str(value)
    return " ".join(unicodedata.normalize("NFC", text).split())
