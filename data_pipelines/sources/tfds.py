"""Any prepared dataset of tensorflow-datasets, by name."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

import data_pipelines.datasets.builders

if TYPE_CHECKING:
    import polars as pl
    import tensorflow as tf

_SPLIT = "split"  # column of splits in `frame`


def load(
    name: str,
    *,
    inputs: Mapping[str, str],
    targets: Mapping[str, str] | None = None,
    splits: Mapping[str, str] | None = None,
    data_dir: str | os.PathLike | None = None,
    each: str | None = None,
) -> dict[str, tf.data.Dataset]:
    """Loads a prepared dataset without decoding it.

    Images remain the bytes that are stored; strings and numbers do not change. Sounds
    are stored as samples and are encoded as WAV, without loss for 16 bits.

    Args:
        name: Name of the dataset, such as `"mnist"` or `"keypad_arithmetic"`.
        inputs: Feature of the dataset by name of the input, such as `{"image":
            "image"}`.
        targets: Feature by name of the target.
        splits: Split of the dataset by name of the split, such as `{"valid":
            "train[90%:]"}`; None for all splits of the dataset.
        data_dir: Folder of prepared datasets; None for the default of
            tensorflow-datasets.
        each: A feature that is a sequence, such as the captions of an image: each of
            its elements makes a row. Features inside it are named `"captions/text"`. An
            example with an empty sequence makes no row.

    Returns:
        `{split: tf.data.Dataset}` of `({input: raw scalar}, {target: value})`.

    Raises:
        ValueError: If the dataset is not prepared in `data_dir`, or has no such
            feature.
    """
    builder = _prepared_builder(name, data_dir)
    targets = targets or {}
    used = {**inputs, **targets}
    features = _flatten(builder.info.features, each)
    _check_features(name, used, features)

    def to_row(example):
        return (
            {n: _raw_value(example, f, features) for n, f in inputs.items()},
            {n: _raw_value(example, f, features) for n, f in targets.items()},
        )

    splits = splits or {split: split for split in builder.info.splits}
    decoders = _skip_decoding(used, features)
    loaded = {
        split: builder.as_dataset(split=part, decoders=decoders)
        for split, part in splits.items()
    }
    if each is not None:
        loaded = {split: _repeat_for_each(rows, each) for split, rows in loaded.items()}
    return {split: rows.map(to_row) for split, rows in loaded.items()}


def frame(
    name: str,
    *,
    inputs: Mapping[str, str],
    targets: Mapping[str, str] | None = None,
    splits: Mapping[str, str] | None = None,
    data_dir: str | os.PathLike | None = None,
    each: str | None = None,
) -> pl.DataFrame:
    """A prepared dataset as a frame in memory, to join with others.

    Args:
        name: As for `load`, as are the other arguments.
        inputs: Feature of the dataset by name of the column.
        targets: Feature by name of the column.
        splits: Split of the dataset by name of the split.
        data_dir: Folder of prepared datasets.
        each: A feature that is a sequence, each element of which makes a row.

    Returns:
        A polars frame with one column per input and target, and `split`. Images and
        sounds are bytes, labels are their names. `data_pipelines.sources.open_table`
        opens it; see `by_label` and `by_key` of `data_pipelines.tables.align` too.

    Raises:
        ValueError: As `load` does, or if a column is called `split`.
    """
    import polars as pl

    used = {**inputs, **(targets or {})}
    if _SPLIT in used:
        raise ValueError(
            f"Expected other names of columns than {_SPLIT!r}, which has the splits. "
            f"Received: {list(used)}."
        )
    loaded = load(
        name,
        inputs=inputs,
        targets=targets,
        splits=splits,
        data_dir=data_dir,
        each=each,
    )
    features = _flatten(_prepared_builder(name, data_dir).info.features, each)
    decoders = {column: _label_names(features[f]) for column, f in used.items()}
    columns: dict[str, list[Any]] = {column: [] for column in (*used, _SPLIT)}
    for split, rows in loaded.items():
        for raw, target in rows.as_numpy_iterator():
            for column, value in {**raw, **target}.items():
                columns[column].append(decoders[column](value))
            columns[_SPLIT].append(split)
    texts = [c for c, f in used.items() if features[f].dtype.name == "string"]
    made = [pl.Series(column, values) for column, values in columns.items()]
    return pl.DataFrame([x.cast(pl.String) if x.name in texts else x for x in made])


def prepare(
    name: str,
    archives: str | os.PathLike,
    data_dir: str | os.PathLike | None = None,
) -> None:
    """Prepares a dataset from local archives, without the network.

    Args:
        name: Name of the dataset, such as `"spoken_digit"`.
        archives: Folder of the files that tensorflow-datasets would download.
        data_dir: Folder of prepared datasets; None for the default of
            tensorflow-datasets.

    Raises:
        ValueError: If one of the files is missing, before any attempt to download it.
    """
    import tensorflow_datasets as tfds

    builder = _builder(name, data_dir)
    if builder.data_path.exists():
        return
    folder = pathlib.Path(archives)
    missing = {
        url: info.filename
        for url, info in builder.url_infos.items()
        if info.filename and not (folder / info.filename).is_file()
    }
    if missing:
        files = "; ".join(f"`{file}` from {url}" for url, file in missing.items())
        raise ValueError(f"To prepare {name!r}, put into `{folder}`: {files}.")
    config = tfds.download.DownloadConfig(manual_dir=str(folder))
    builder.download_and_prepare(download_config=config)


def _builder(name, data_dir):
    import tensorflow_datasets as tfds

    data_pipelines.datasets.builders.register()
    return tfds.builder(name, data_dir=data_dir)


def _prepared_builder(name, data_dir):
    builder = _builder(name, data_dir)
    if not builder.data_path.exists():
        raise ValueError(
            f"The dataset {name!r} is not prepared in `{builder.data_path}`. Prepare "
            f"it with `data_pipelines.sources.tfds.prepare({name!r}, archives)`, where "
            "`archives` is a folder with the files to download."
        )
    return builder


def _flatten(features, each):
    """Features by name, and those of the sequence whose elements make rows."""
    import tensorflow_datasets as tfds

    features = dict(features)
    if each is None:
        return features
    element = getattr(features.get(each), "feature", None)
    if element is None:
        raise ValueError(
            f"Expected a feature that is a sequence. Received: each={each!r}. The "
            f"features are {sorted(features)}."
        )
    if isinstance(element, tfds.features.FeaturesDict):
        return {**features, **{f"{each}/{n}": part for n, part in element.items()}}
    return {**features, each: element}


def _check_features(name, used, features):
    missing = sorted(set(used.values()) - set(features))
    if missing:
        raise ValueError(
            f"The dataset {name!r} has no feature {missing}. It has {sorted(features)}."
        )


def _skip_decoding(used, features):
    """Decoders that leave images as they are stored."""
    import tensorflow_datasets as tfds

    return {
        feature: tfds.decode.SkipDecoding()
        for feature in used.values()
        if isinstance(features[feature], tfds.features.Image)
    }


def _raw_value(example, feature, features):
    """The raw scalar of one feature of an example."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    value = example
    for part in [feature] if feature in example else feature.split("/"):
        value = value[part]
    if not isinstance(features[feature], tfds.features.Audio):
        return tf.cast(value, tf.float32) if value.dtype.is_floating else value
    rate = features[feature].sample_rate or 16_000
    wave = tf.reshape(tf.cast(value, tf.float32) / 2**15, (-1, 1))
    return tf.audio.encode_wav(wave, rate)


def _repeat_for_each(rows, each):
    """One row for each element of a sequence."""
    import tensorflow as tf

    def repeat(example):
        elements = tf.data.Dataset.from_tensor_slices(example[each])
        return elements.map(lambda element: {**example, each: element})

    return rows.flat_map(repeat)


def _label_names(feature):
    """A function from values to names for labels; other values do not change."""
    import tensorflow_datasets as tfds

    if isinstance(feature, tfds.features.ClassLabel):
        return lambda value: feature.int2str(int(value))
    return lambda value: value
