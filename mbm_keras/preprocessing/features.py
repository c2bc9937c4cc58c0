"""A dict of preprocessors, one per input of a model."""

import json
import pathlib

import tensorflow as tf

from data_pipelines.decoding.status import STATUS
from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import keys
from mbm_keras.preprocessing.registry import PREPROCESSORS

_AT_ONCE = 32  # sounds of ten seconds then take under 100 megabytes
OK, ABSENT, CORRUPT = (tf.constant(i, tf.uint8) for i in range(len(STATUS)))


class Features(tf.Module):
    """Turns one raw example into the inputs of a model.

    Keys do not change: `"image"` is JPEG bytes before and pixels after. A table is
    one input with several raw columns.

        features = Features(text=WordIds(), image=Pixels(64))
        features.adapt(columns)                     # on the training split
        model = late_fusion.build(inputs=features.inputs(), ...)
        export.save(model, features, ...)           # serving

    Args:
        **by_name: One preprocessor per model input, under that input's name.
    """

    states = STATUS

    def __init__(self, **by_name):
        super().__init__(name="features")
        self.by_name = by_name

    @property
    def keys(self):
        """Key by name of every input and raw column, see `mbm_keras.inputs.keys`."""
        # Raw columns too are arguments of the served signature.
        columns = [c for f in self.by_name.values() for c in _raw_columns(f)]
        return keys(dict.fromkeys([*self.by_name, *columns]))

    @property
    def by_key(self):
        """Preprocessors by key of their input."""
        chosen = self.keys
        return {chosen[name]: f for name, f in self.by_name.items()}

    def inputs(self):
        """The `InputSpec` of every input, for the builder of a model."""
        chosen = self.keys
        return [
            InputSpec(name, f.modality, f.sizes(), chosen[name])
            for name, f in self.by_name.items()
        ]

    def columns(self):
        """Raw columns by key of the input: one, or for a table several."""
        chosen = self.keys
        return {chosen[n]: _raw_columns(f) or [n] for n, f in self.by_name.items()}

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
        """Maps one raw example to arrays by input, `present` among them.

        For `dataset.map(features)`; `decode_batch` is faster, where there is a batch.

        Args:
            raw: Raw scalars by column name.
        """
        arrays, _ = self.decode_batch(
            {name: value[None] for name, value in raw.items()}
        )
        return {name: array[0] for name, array in arrays.items()}

    def decode_batch(self, raw):
        """Maps raw examples, and says what became of each part of them.

        Args:
            raw: `(batch,)` raw tensors by column name; absent is `b""`, or NaN for a
                number.

        Returns:
            Arrays `(batch, ...)` by input name with `present` `(batch, n)` bool among
            them; an absent or corrupt part is zeros. And `(batch, n)` uint8, an index
            into `STATUS`.
        """
        arrays, status, chosen = {}, [], self.keys
        for name, f in self.by_name.items():
            key = chosen[name]
            part = raw if isinstance(f.raw, dict) else raw[name]
            arrays[key], state = self.decode_input(key, part)
            status.append(state)
        status = tf.stack(status, axis=1)
        arrays["present"] = status == 0
        return arrays, status

    def decode_input(self, key, raw):
        """One input's array, and what became of it: indices into `STATUS`.

        Args:
            key: Key of the input.
            raw: Its `(batch,)` raw values, or for a table the dict of them.
        """
        return decode_values(self.by_key[key], raw)

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


def _raw_columns(preprocessor):
    """Columns of a preprocessor of several; none where it takes one value."""
    return list(preprocessor.raw) if isinstance(preprocessor.raw, dict) else []


def decode_values(preprocessor, raw):
    """Raw values to arrays, and what became of each.

    Args:
        preprocessor: One of `PREPROCESSORS`. It maps one value; where it has `many`,
            that maps all at once and says which are good; where it has `each` and
            `together`, the first maps one value, the second many.
        raw: `(batch,)` raw values, or for a table the dict of them.

    Returns:
        `(batch, ...)` arrays, zeros where a value is absent or corrupt; and `(batch,)`
        uint8, indices into `STATUS`.
    """
    values = tf.data.Dataset.from_tensor_slices(raw)
    if isinstance(preprocessor.raw, dict):
        rows = _whole(values.map(preprocessor, tf.data.AUTOTUNE), raw)
        return rows.get_single_element(), _state_of_row(preprocessor, raw)
    if hasattr(preprocessor, "many"):
        arrays, good = preprocessor.many(raw)
        return arrays, tf.where(raw == "", ABSENT, tf.where(good, OK, CORRUPT))
    # All of them at once is three times as fast as each with a guard of its own, which
    # only a batch with a corrupt value needs.
    tried = _tried(preprocessor)
    together = values.map(tried, tf.data.AUTOTUNE)
    apart = values.map(lambda raw: _guarded(tried, raw), tf.data.AUTOTUNE)
    together, apart = (_finished(rows, preprocessor) for rows in (together, apart))
    return _first(_whole(together, raw), _whole(apart, raw))


def _tried(preprocessor):
    """The preprocessor for values that may be absent: these are not even tried."""
    each = getattr(preprocessor, "each", preprocessor)
    spec = getattr(preprocessor, "piece", preprocessor.array)

    @tf.function(autograph=False, input_signature=[preprocessor.raw])
    def tried(raw):
        absent = raw == ""
        nothing = tf.zeros(spec.shape, spec.dtype)
        value = tf.cond(absent, lambda: nothing, lambda: each(raw))
        return value, tf.where(absent, ABSENT, OK)

    return tried


def _guarded(tried, raw):
    value, _ = tried.get_concrete_function().structured_outputs
    instead = tf.data.Dataset.from_tensors(
        (tf.zeros(value.shape, value.dtype), CORRUPT)
    )
    return _first(tf.data.Dataset.from_tensors(raw).map(tried), instead)


def _finished(rows, preprocessor):
    """The step that many values take at once, where the preprocessor has one."""
    if not hasattr(preprocessor, "together"):
        return rows

    def finish(values, states):
        arrays = preprocessor.together(values)
        here = tf.reshape(states == OK, (-1, *[1] * len(preprocessor.array.shape)))
        return tf.where(here, arrays, tf.zeros_like(arrays)), states

    batches = rows.prefetch(tf.data.AUTOTUNE).batch(_AT_ONCE)
    return batches.map(finish, tf.data.AUTOTUNE).unbatch()


def _state_of_row(preprocessor, raw):
    """A table's row is absent where every cell is."""
    here = [
        tf.math.is_finite(raw[name]) if spec.dtype == tf.float32 else raw[name] != ""
        for name, spec in preprocessor.raw.items()
    ]
    return tf.where(tf.reduce_any(here, axis=0), OK, ABSENT)


def _whole(rows, like):
    """All rows as one batch; nothing where one of them fails."""
    size = tf.shape(tf.nest.flatten(like)[0], out_type=tf.int64)[0]
    # The `prefetch` keeps tf.data from fusing map and batch, which fails where this
    # runs inside another dataset's map.
    return rows.prefetch(tf.data.AUTOTUNE).batch(size, drop_remainder=True)


def _first(tried, instead):
    """A graph has no try: a dataset that may fail, and behind it what stands in."""
    return tried.ignore_errors().concatenate(instead).take(1).get_single_element()
