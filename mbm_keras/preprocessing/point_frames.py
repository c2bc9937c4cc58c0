"""A recording of a radar to frames of points."""

from typing import Self

import tensorflow as tf

from mbm_keras.preprocessing.guard import decode_each
from mbm_keras.preprocessing.guard import explain


class PointFrames(tf.Module):
    """Frames of points, as a radar gives them: rows of float32 that begin with a frame.

    Args:
        num_frames: How many, from the first one of the file on.
        num_points: Points of a frame; of a frame with more, the first ones in the file.
        fields: Names of the numbers of a point, which follow the frame in a row.

    Returns:
        From the bytes of a file, `(num_frames, num_points, len(fields))` float32, in
        the units of the file. Points and frames of zeros are padding. A file that is
        not a whole number of rows, whose frames fall, or that has no finite point, is
        corrupt.

    Raises:
        ValueError: If there is no frame, no point or no field.
    """

    modality = "point_frames"
    raw = tf.TensorSpec((), tf.string)

    def __init__(
        self, num_frames, num_points, fields=("x", "y", "z", "velocity", "intensity")
    ):
        super().__init__(name="point_frames")
        if min(num_frames, num_points, len(fields)) < 1:
            raise ValueError(
                "Expected num_frames >= 1, num_points >= 1 and a field. Received: "
                f"num_frames={num_frames}, num_points={num_points}, fields={fields}."
            )
        self.num_frames = num_frames
        self.num_points = num_points
        self.fields = tuple(fields)
        shape = (num_frames, num_points, len(fields))
        self.array = tf.TensorSpec(shape, tf.float32)

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Files to `(batch, num_frames, num_points, fields)`; and which are decoded."""
        return decode_each(self._decode_one, batch, self.array)

    def explain(self, value: bytes) -> str:
        """Why a file cannot be decoded."""
        return explain(self._decode_one, value)

    def _decode_one(self, encoded):
        size, width = tf.strings.length(encoded), 1 + len(self.fields)
        check = tf.debugging.Assert
        rest = size % (4 * width)
        why = ["not a whole number of rows:", size, "bytes, rows of", 4 * width]
        with tf.control_dependencies([check(rest == 0, why)]):
            rows = tf.reshape(tf.io.decode_raw(encoded, tf.float32), (-1, width))
        rows = rows[tf.reduce_all(tf.math.is_finite(rows), axis=1)]
        some = check(tf.shape(rows)[0] > 0, ["no finite point"])
        rises = tf.reduce_all(rows[1:, 0] >= rows[:-1, 0])
        with tf.control_dependencies([some, check(rises, ["a frame before the last"])]):
            frame = rows[:, 0] - rows[0, 0]
        kept = frame < self.num_frames
        frame, points = tf.cast(frame[kept], tf.int32), rows[kept][:, 1:]
        # The index of a point in its frame: how far it is from the first one of it.
        first = tf.searchsorted(frame, frame)
        point = tf.range(tf.size(frame)) - first
        kept = point < self.num_points
        where = tf.stack([frame[kept], point[kept]], axis=1)
        return tf.scatter_nd(where, points[kept], self.array.shape)

    def adapt(self, values) -> None:
        """Learns nothing."""

    def sizes(self) -> dict:
        """`num_frames`, `num_points` and `num_fields`."""
        return {
            "num_frames": self.num_frames,
            "num_points": self.num_points,
            "num_fields": len(self.fields),
        }

    def config(self) -> dict:
        """The arguments."""
        return {
            "num_frames": self.num_frames,
            "num_points": self.num_points,
            "fields": list(self.fields),
        }

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)
