"""A dict of preprocessors, one per input of a model."""

import json
import pathlib

import tensorflow as tf

from mbm_keras.preprocessing.registry import PREPROCESSORS

STATUS = ("ok", "absent", "corrupt")
OK, ABSENT, CORRUPT = (tf.constant(i, tf.uint8) for i in range(3))


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
        arrays, _ = self.checked({name: value[None] for name, value in raw.items()})
        return {name: array[0] for name, array in arrays.items()}

    def checked(self, raw):
        """Maps raw examples, and says what became of each part of them.

        Args:
            raw: `(batch,)` raw tensors by column name; absent is `b""`, or NaN for a
                number.

        Returns:
            Arrays `(batch, ...)` by input name with `present` `(batch, n)` bool among
            them; an absent or corrupt part is zeros. And `(batch, n)` uint8, an index
            into `STATUS`.
        """
        arrays, status = {}, []
        for name, f in self.by_name.items():
            part = raw if isinstance(f.raw, dict) else raw[name]
            arrays[name], state = self.part(name, part)
            status.append(state)
        status = tf.stack(status, axis=1)
        arrays["present"] = status == 0
        return arrays, status

    def part(self, name, raw):
        """One input's array, and what became of it: indices into `STATUS`.

        Args:
            name: Name of the input.
            raw: Its `(batch,)` raw values, or for a table the dict of them.
        """
        f = self.by_name[name]
        return _table_part(f, raw) if isinstance(f.raw, dict) else _part(f, raw)

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


def _table_part(preprocessor, raw):
    raw = {name: raw[name] for name in preprocessor.raw}
    here = [
        tf.math.is_finite(column) if column.dtype == tf.float32 else column != ""
        for column in raw.values()
    ]
    status = tf.where(tf.reduce_any(here, axis=0), OK, ABSENT)
    rows = tf.data.Dataset.from_tensor_slices(raw)
    rows = rows.map(preprocessor, tf.data.AUTOTUNE)
    return _whole(rows, status).get_single_element(), status


def _part(preprocessor, raw):
    """A part of one column, where an example may fail."""
    examples = tf.data.Dataset.from_tensor_slices(raw)
    nothing = tf.zeros(preprocessor.array.shape, preprocessor.array.dtype)

    @tf.function(autograph=False, input_signature=[preprocessor.raw])
    def one(raw):
        # An absent part is not even tried.
        absent = raw == ""
        array = tf.cond(absent, lambda: nothing, lambda: preprocessor(raw))
        return array, tf.where(absent, ABSENT, OK)

    def guarded(raw):
        tried = tf.data.Dataset.from_tensors(raw).map(one)
        instead = tf.data.Dataset.from_tensors((nothing, CORRUPT))
        return _first(tried, instead)

    # All of them at once is three times as fast as each with a guard of its own, which
    # only a batch with a corrupt example needs.
    together = _whole(examples.map(one, tf.data.AUTOTUNE), raw)
    apart = _whole(examples.map(guarded, tf.data.AUTOTUNE), raw)
    return _first(together, apart)


def _whole(rows, like):
    """All rows as one batch; nothing where one of them fails."""
    size = tf.shape(like, out_type=tf.int64)[0]
    return rows.batch(size, drop_remainder=True)


def _first(tried, instead):
    """A graph has no try: a dataset that may fail, and behind it what stands in."""
    return tried.ignore_errors().concatenate(instead).take(1).get_single_element()
