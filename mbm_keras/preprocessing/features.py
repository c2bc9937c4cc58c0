"""One preprocessor for each input of a model."""

import json
import pathlib

import tensorflow as tf

from data_pipelines import files
from data_pipelines.decoding.status import ABSENT
from data_pipelines.decoding.status import CORRUPT
from data_pipelines.decoding.status import OK
from data_pipelines.decoding.status import PARTIAL
from data_pipelines.decoding.status import STATUS
from data_pipelines.decoding.status import is_present
from mbm_keras.inputs import PRESENT
from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import keys
from mbm_keras.preprocessing.image import Pixels
from mbm_keras.preprocessing.image import traced_decode
from mbm_keras.preprocessing.protocols import KeepsFiles
from mbm_keras.preprocessing.protocols import KeepsGoodCells
from mbm_keras.preprocessing.protocols import Preprocessor
from mbm_keras.preprocessing.registry import PREPROCESSORS
from mbm_keras.preprocessing.traced_decoders import TracedDecoders

_FOLDER = "encoders"  # of the files of preprocessors, next to the JSON file


class Features(tf.Module):
    """Decodes raw rows to the inputs of a model.

    An input has the name of its raw column, and a key for graphs, see
    `mbm_keras.inputs`: the same word wherever the name is a plain identifier. A table
    is one input with several raw columns, and several inputs may read one column.

        features = Features(text=WordIds(), image=Pixels(64))
        features.adapt(columns)                     # on the training split
        model = late_fusion.build(inputs=features.inputs(), ...)
        export.save(model, features, ...)           # serving

    Args:
        **by_name: One preprocessor for each input, by the name of the input.

    Attributes:
        by_name: The preprocessors, by name of the input.

    Raises:
        ValueError: If one of them is not a `Preprocessor`.
    """

    statuses = STATUS  # the words that `decode_batch` returns the indices of

    def __init__(self, /, **by_name: Preprocessor):
        super().__init__(name="features")
        for name, preprocessor in by_name.items():
            if not isinstance(preprocessor, Preprocessor):
                raise ValueError(
                    f"Expected a `Preprocessor` for the input {name!r}. Received: "
                    f"{type(preprocessor).__name__}."
                )
        self.by_name = by_name
        self._traced = TracedDecoders()

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

    def column_of(self, name) -> str:
        """The raw column of an input that has one; it may have another name."""
        return getattr(self.by_name[name], "column", "") or name

    def adapt(self, values) -> None:
        """Learns vocabularies and statistics.

        Args:
            values: Raw values of the training split by column name, as arrays or
                lists. Columns of images and sounds may be left out: nothing is learned
                from them.
        """
        for name, f in self.by_name.items():
            if isinstance(f.raw, dict):
                f.adapt({column: values[column] for column in f.raw})
            elif self.column_of(name) in values:
                f.adapt(values[self.column_of(name)])

    def __call__(self, raw):
        """Decodes one raw row, for `dataset.map(features)`.

        `decode_batch` is faster wherever there is a batch.

        Args:
            raw: Raw scalars by column name.

        Returns:
            Arrays by key of the input, and `present` `(n,)` bool.
        """
        arrays, _ = self.decode_batch(
            {name: value[None] for name, value in raw.items()}
        )
        return {key: array[0] for key, array in arrays.items()}

    def decode_batch(self, raw):
        """Decodes raw rows. A corrupt value never fails the batch.

        Args:
            raw: `(batch,)` raw tensors by column name; absent is `b""`, or NaN for a
                number. Other columns are ignored.

        Returns:
            Arrays `(batch, ...)` by key of the input, zeros where it is absent or
            corrupt, and `present` `(batch, n)` bool. And `(batch, n)` uint8, the
            status of each input, see `data_pipelines.decoding.status`.

        Raises:
            ValueError: If a column is missing.
        """
        missing = [name for name in self.raw_signature() if name not in raw]
        if missing:
            raise ValueError(
                f"Expected the raw columns {list(self.raw_signature())}, by name and "
                f"not by key. Received: {list(raw)}, without {missing}."
            )
        arrays, status, chosen = {}, [], self.keys
        for name, f in self.by_name.items():
            key = chosen[name]
            part = raw if isinstance(f.raw, dict) else raw[self.column_of(name)]
            arrays[key], state = decode_values(f, part)
            status.append(state)
        status = tf.stack(status, axis=1)  # (batch, n)
        arrays[PRESENT] = is_present(status)
        return arrays, status

    def decode_input(self, key, raw):
        """Decodes one input, where it is built for every table rather than served.

        Args:
            key: Key of the input.
            raw: Its `(batch,)` raw values, or for a table the dict of them.

        Returns:
            `(batch, ...)` arrays, zeros where a value is absent or corrupt; and
            `(batch,)` uint8, the status of each.
        """
        f = self.by_key[key]
        # A subclass may differ in more than its arguments.
        if type(f) is Pixels and tf.inside_function():
            return _with_status(f, raw, *traced_decode(f.size, f.max_pixels)(raw))
        return decode_values(f, raw)

    def trace_decoder(self, key, specs):
        """`decode_input` for one input as a function that is traced once.

        Tracing takes longer than decoding some hundred rows. It is traced again after
        the preprocessor has learned something else.

        Args:
            key: Key of the input.
            specs: Spec of its `(batch,)` raw values, or the dict of them by column.

        Returns:
            A function of the raw values, which returns what `decode_input` does.
        """
        return self._traced.get(self, key, specs)

    def explain(self, key, value) -> str:
        """Says why a raw value of one input is corrupt.

        Args:
            key: Key of the input.
            value: The bytes.

        Returns:
            A line of text, empty if the value can be decoded.
        """
        return self.by_key[key].explain(value)

    def raw_signature(self, floats=tf.float64):
        """TensorSpecs `(batch,)` of the raw columns, by name of the column.

        The name of each TensorSpec is the key of the column.

        Args:
            floats: Type of the numbers. `decode_batch` takes each of them as float64.
        """
        specs = {}
        for name, f in self.by_name.items():
            is_row = isinstance(f.raw, dict)
            specs.update(f.raw if is_row else {self.column_of(name): f.raw})
        chosen = self.keys
        types = {
            n: floats if s.dtype.is_floating else s.dtype for n, s in specs.items()
        }
        return {
            name: tf.TensorSpec((None, *spec.shape), types[name], name=chosen[name])
            for name, spec in specs.items()
        }

    def save(self, path, *, with_files=True):
        """Writes everything learned, and the keys, to one JSON file.

        Args:
            path: The file.
            with_files: True for the files of preprocessors that have some, in folders
                next to it; False where the weights are kept already, as in a
                SavedModel: what was written is then to be read by people alone.
        """
        inputs, chosen = {}, self.keys
        for name, f in self.by_name.items():
            inputs[name] = {"preprocessor": type(f).__name__, **f.config()}
            if isinstance(f, KeepsFiles) and with_files:
                inputs[name]["files"] = f"{_FOLDER}/{chosen[name]}"
                f.save_files(pathlib.Path(path).parent / _FOLDER / chosen[name])
        content = {"inputs": inputs, "keys": dict(self.keys)}
        text = json.dumps(content, indent=1, ensure_ascii=False)
        files.write(path, text)

    @classmethod
    def load(cls, path, custom=None):
        """Reads what `save` wrote.

        A file names a preprocessor by the name of its class alone, which is one of
        this package or of `custom`.

        Args:
            path: The file.
            custom: Classes of your own, by name.

        Raises:
            OSError: If the file cannot be read.
            ValueError: If the file is damaged, names another class, or has an argument
                that a class does not take.
        """
        kinds = {**PREPROCESSORS, **(custom or {})}
        by_name, name = {}, ""
        try:
            content = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
            for name, config in content["inputs"].items():
                config = dict(config)
                kind = config.pop("preprocessor")
                if kind not in kinds:
                    raise ValueError(
                        f"Expected one of the preprocessors {sorted(kinds)}; give a "
                        f"class of your own in `custom`. Received: {kind!r}"
                    )
                by_name[name] = _from_config(kinds[kind], config, path)
        except (
            AttributeError,
            KeyError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:
            where = f" for the input {name!r}" if name else ""
            raise ValueError(
                f"`{path}` is damaged or was edited: {error}{where}."
            ) from None
        return cls(**by_name)


def _from_config(kind, config, path):
    where = config.pop("files", None)
    if not hasattr(kind, "save_files"):
        return kind.from_config(config)
    root = pathlib.Path(path).resolve().parent
    folder = (root / (where or _FOLDER)).resolve()
    if not folder.is_relative_to(root):
        raise ValueError(f"`{where}` is not in its folder")
    return kind.from_config(config, folder)


def decode_values(preprocessor, raw):
    """Decodes raw values of one preprocessor.

    Args:
        preprocessor: A `Preprocessor`.
        raw: `(batch,)` raw values, or the dict of them by column.

    Returns:
        `(batch, ...)` arrays, zeros where a value is absent or corrupt; and `(batch,)`
        uint8, the status of each, see `data_pipelines.decoding.status`.
    """
    return _with_status(preprocessor, raw, *preprocessor.decode(raw))


def _with_status(preprocessor, raw, arrays, decoded):
    absent = _find_absent(preprocessor.raw, raw)
    good = OK
    if isinstance(preprocessor, KeepsGoodCells):
        good = tf.where(preprocessor.find_corrupt(raw), PARTIAL, OK)
    status = tf.where(decoded, good, tf.where(absent, ABSENT, CORRUPT))
    return arrays, tf.cast(status, tf.uint8)


def _find_absent(specs, raw):
    """A value is absent if it is empty or NaN, a row if all its cells are."""
    if not isinstance(specs, dict):
        return _is_empty(specs, raw)
    cells = [_is_empty(spec, raw[name]) for name, spec in specs.items()]
    return tf.reduce_all(cells, axis=0)


def _is_empty(spec, values):
    return tf.math.is_nan(values) if spec.dtype.is_floating else values == ""


def _raw_columns(preprocessor):
    """Columns of a preprocessor that names them; none where the input's name is one."""
    if isinstance(preprocessor.raw, dict):
        return list(preprocessor.raw)
    column = getattr(preprocessor, "column", "")
    return [column] if column else []
