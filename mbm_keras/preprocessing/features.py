"""A dict of preprocessors, one per input of a model."""

import json
import pathlib

import tensorflow as tf

from mbm_keras.preprocessing.registry import PREPROCESSORS

STATUS = ("ok", "absent", "corrupt")


class Features(tf.Module):
    """Turns one raw example into the inputs of a model.

    Keys do not change: `"image"` is JPEG bytes before and pixels after. A table is
    one input with several raw columns.

        features = Features(text=WordIds(), image=Pixels(64))
        features.adapt(columns)                     # on the training split
        model = late_fusion.build(features=features.inputs(), ...)
        export.save(model, features, ...)           # serving

    Args:
        **by_name: One preprocessor per model input, under that input's name.
    """

    def __init__(self, **by_name):
        super().__init__(name="features")
        self.by_name = by_name

    def inputs(self):
        """What a model's builder must know: one dict per input."""
        return [
            {"name": name, "modality": f.modality, **f.sizes()}
            for name, f in self.by_name.items()
        ]

    def columns(self):
        """Raw columns by input name: one, or for a table several."""
        return {
            name: list(f.raw) if isinstance(f.raw, dict) else [name]
            for name, f in self.by_name.items()
        }

    def adapt(self, values):
        """Learns vocabularies and statistics.

        Args:
            values: Raw training values by column name, as arrays or lists. The
                columns of pictures and sounds may be left out: nothing is learned
                from them.
        """
        for name, f in self.by_name.items():
            if isinstance(f.raw, dict):
                f.adapt({column: values[column] for column in f.raw})
            elif name in values:
                f.adapt(values[name])

    def __call__(self, raw):
        """Maps raw scalars by column to arrays by input, `present` among them."""
        return self.checked(raw)[0]

    def checked(self, raw):
        """Maps one raw example, and says what became of each part of it.

        Args:
            raw: Raw scalars by column name; absent is `b""`, or NaN for a number.

        Returns:
            Arrays by input name with `present` `(n,)` bool among them; an absent or
            corrupt part is zeros. And `(n,)` uint8, an index into `STATUS`.
        """
        arrays, status = {}, []
        for name, f in self.by_name.items():
            part = raw if isinstance(f.raw, dict) else raw[name]
            arrays[name], state = self.part(name, part)
            status.append(state)
        status = tf.stack(status)
        arrays["present"] = status == 0
        return arrays, status

    def part(self, name, raw):
        """One input's array, and what became of it: an index into `STATUS`.

        Args:
            name: Name of the input.
            raw: Its raw scalar, or for a table the dict of them.
        """
        return checked_part(self.by_name[name], raw)

    def checked_batch(self, raw):
        """`checked` for a dict of `(batch,)` raw tensors, examples in parallel."""
        rows = tf.data.Dataset.from_tensor_slices(raw)
        rows = rows.map(self.checked, tf.data.AUTOTUNE, deterministic=True)
        size = tf.shape(next(iter(raw.values())), out_type=tf.int64)[0]
        return rows.batch(tf.maximum(size, 1)).get_single_element()

    def raw_signature(self):
        """Batched TensorSpecs of the raw columns, by name."""
        specs = {}
        for name, f in self.by_name.items():
            specs.update(f.raw if isinstance(f.raw, dict) else {name: f.raw})
        return {
            name: tf.TensorSpec((None, *spec.shape), spec.dtype, name=name)
            for name, spec in specs.items()
        }

    def save(self, path):
        """Writes everything learned to one JSON file."""
        config = {
            name: {"preprocessor": type(f).__name__, **f.config()}
            for name, f in self.by_name.items()
        }
        pathlib.Path(path).write_text(json.dumps(config, indent=1, ensure_ascii=False))

    @classmethod
    def load(cls, path):
        """Reads what `save` wrote.

        Raises:
            ValueError: If the file names a preprocessor that is not there.
        """
        config = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        by_name = {}
        for name, arguments in config.items():
            kind = arguments.pop("preprocessor")
            if kind not in PREPROCESSORS:
                raise ValueError(
                    f"`{path}` asks for a preprocessor that is not one of "
                    f"{sorted(PREPROCESSORS)}. Received: {kind!r} for {name!r}."
                )
            preprocessor = PREPROCESSORS[kind]
            build = getattr(preprocessor, "from_config", None)
            by_name[name] = build(arguments) if build else preprocessor(**arguments)
        return cls(**by_name)


def checked_part(preprocessor, raw):
    """One part of an example, and what became of it.

    Args:
        preprocessor: One of `PREPROCESSORS`.
        raw: Its raw scalar, or dict of them.

    Returns:
        The array, zeros if the part is absent or corrupt; and a scalar uint8, an
        index into `STATUS`.
    """
    if isinstance(preprocessor.raw, dict):
        parts = [
            tf.math.is_finite(raw[name])
            if spec.dtype == tf.float32
            else raw[name] != ""
            for name, spec in preprocessor.raw.items()
        ]
        here = tf.reduce_any(parts)
        return preprocessor(raw), tf.where(here, tf.uint8.as_numpy_dtype(0), 1)

    # A graph has no try: a dataset of one element that may fail, and behind it what
    # stands in if it does. An absent part is not even tried.
    spec = preprocessor.array
    tried = (
        tf.data.Dataset.from_tensors(raw)
        .filter(lambda raw: raw != "")
        .map(lambda raw: (preprocessor(raw), tf.constant(0, tf.uint8)))
        .ignore_errors()
    )
    failed = tf.where(raw == "", tf.constant(1, tf.uint8), tf.constant(2, tf.uint8))
    instead = tf.data.Dataset.from_tensors((tf.zeros(spec.shape, spec.dtype), failed))
    return tried.concatenate(instead).take(1).get_single_element()
