"""A cloud of points to an array of them."""

from typing import Self

import tensorflow as tf

from mbm_keras.preprocessing.guard import decode_each
from mbm_keras.preprocessing.guard import explain


class Points(tf.Module):
    """Points of a laser scanner or a radar: rows of float32.

    The bare `.bin` layouts of KITTI (x, y, z, reflectance: `stride=4`) and nuScenes
    (x, y, z, intensity, ring: `stride=5`); PCD files, which `data_pipelines` turns
    into such rows. Points with a value that is not finite are left out.

    Args:
        num_points: How many. From a larger cloud, points evenly spaced in the file are
            chosen; a smaller one is padded with zeros at its end.
        fields: Names of the columns that are kept: the first ones of a row; of a PCD
            those with these names.
        stride: How many numbers a row has.

    Returns:
        From the bytes of a file, `(num_points, len(fields))` float32, in meters where
        the file has meters. Rows of zeros are padding. A file that is not a whole
        number of rows, or has no finite point, is corrupt.

    Raises:
        ValueError: If a row has fewer numbers than there are fields.
    """

    modality = "points"
    raw = tf.TensorSpec((), tf.string)

    def __init__(self, num_points, fields=("x", "y", "z", "intensity"), stride=4):
        super().__init__(name="points")
        if num_points < 1 or not 0 < len(fields) <= stride:
            raise ValueError(
                "Expected num_points >= 1 and 1 <= len(fields) <= stride. "
                f"Received: num_points={num_points}, fields={fields}, stride={stride}."
            )
        self.num_points = num_points
        self.fields = tuple(fields)
        self.stride = stride
        self.array = tf.TensorSpec((num_points, len(fields)), tf.float32)

    def decode(self, batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Files to `(batch, num_points, fields)` float32; and which were decoded."""
        return decode_each(self._decode_one, batch, self.array)

    def explain(self, value: bytes) -> str:
        """Why a file cannot be decoded."""
        return explain(self._decode_one, value)

    def _decode_one(self, encoded):
        size = tf.strings.length(encoded)
        whole = tf.debugging.Assert(
            size % (4 * self.stride) == 0,
            ["not a whole number of rows:", size, "bytes, rows of", 4 * self.stride],
        )
        with tf.control_dependencies([whole]):
            rows = tf.io.decode_raw(encoded, tf.float32)
        rows = tf.reshape(rows, (-1, self.stride))[:, : len(self.fields)]
        rows = rows[tf.reduce_all(tf.math.is_finite(rows), axis=1)]
        number = tf.shape(rows)[0]
        some = tf.debugging.Assert(number > 0, ["no finite point"])
        with tf.control_dependencies([some]):
            number = tf.identity(number)
        index = tf.range(self.num_points, dtype=tf.int64)
        index = tf.cast(index * tf.cast(number, tf.int64) // self.num_points, tf.int32)
        missing = tf.maximum(self.num_points - number, 0)
        rows = tf.cond(
            missing > 0,
            lambda: tf.pad(rows, [[0, missing], [0, 0]]),
            lambda: tf.gather(rows, index),
        )
        return tf.ensure_shape(rows, self.array.shape)

    def adapt(self, values) -> None:
        """Learns nothing."""

    def sizes(self) -> dict:
        """`num_points` and `num_fields`."""
        return {"num_points": self.num_points, "num_fields": len(self.fields)}

    def config(self) -> dict:
        """The arguments."""
        return {
            "num_points": self.num_points,
            "fields": list(self.fields),
            "stride": self.stride,
        }

    @classmethod
    def from_config(cls, config) -> Self:
        """Builds it from what `config` returned."""
        return cls(**config)
