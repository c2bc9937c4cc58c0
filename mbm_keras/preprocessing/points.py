"""A cloud of points to an array of them."""

import tensorflow as tf


class Points(tf.Module):
    """Points of a laser scanner or a radar: rows of float32.

    The bare `.bin` layouts of KITTI (x, y, z, reflectance: `stride=4`) and nuScenes
    (x, y, z, intensity, ring: `stride=5`); PCD files, which `data_pipelines` turns
    into such rows. Points with a value that is not finite are no points.

    Args:
        num_points: How many. Of a larger cloud those are taken that are evenly apart
            in the file, a smaller one gets zeros behind its end.
        fields: Names of the columns that are kept, the first ones of a row; of a PCD
            those of these names.
        stride: How many numbers a row has.

    Returns:
        From a scalar string of bytes, `(num_points, len(fields))` float32, meters
        where the file has meters. Rows of zeros are padding.

    Raises:
        tf.errors.InvalidArgumentError: If the bytes are no whole number of rows, or
            no point is finite.
        ValueError: If a row has fewer numbers than there are fields.
    """

    modality = "points"
    raw = tf.TensorSpec((), tf.string)

    def __init__(self, num_points, fields=("x", "y", "z", "intensity"), stride=4):
        super().__init__(name="points")
        if num_points < 1 or not 0 < len(fields) <= stride:
            raise ValueError(
                "There is at least one point, and a row has at least its fields. "
                f"Received: num_points={num_points}, fields={fields}, stride={stride}."
            )
        self.num_points = num_points
        self.fields = tuple(fields)
        self.stride = stride
        self.array = tf.TensorSpec((num_points, len(fields)), tf.float32)

    def __call__(self, encoded):
        size = tf.strings.length(encoded)
        whole = tf.debugging.Assert(
            size % (4 * self.stride) == 0,
            ["no whole number of points:", size, "bytes, rows of", 4 * self.stride],
        )
        with tf.control_dependencies([whole]):
            rows = tf.io.decode_raw(encoded, tf.float32)
        rows = tf.reshape(rows, (-1, self.stride))[:, : len(self.fields)]
        rows = rows[tf.reduce_all(tf.math.is_finite(rows), axis=1)]
        number = tf.shape(rows)[0]
        some = tf.debugging.Assert(number > 0, ["there is no finite point"])
        with tf.control_dependencies([some]):
            number = tf.identity(number)
        wide = tf.cast(tf.range(self.num_points), tf.int64)
        places = tf.cast(wide * tf.cast(number, tf.int64) // self.num_points, tf.int32)
        missing = tf.maximum(self.num_points - number, 0)
        rows = tf.cond(
            missing > 0,
            lambda: tf.pad(rows, [[0, missing], [0, 0]]),
            lambda: tf.gather(rows, places),
        )
        return tf.ensure_shape(rows, self.array.shape)

    def adapt(self, values):
        """Learns nothing."""

    def sizes(self):
        return {"num_points": self.num_points, "num_fields": len(self.fields)}

    def config(self):
        return {
            "num_points": self.num_points,
            "fields": list(self.fields),
            "stride": self.stride,
        }
