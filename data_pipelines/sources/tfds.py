"""Any dataset of tensorflow-datasets, by name."""

import pathlib

import data_pipelines.datasets.builders


def load(name, *, inputs, targets=None, splits=None, data_dir=None, each=None):
    """Loads a prepared dataset with its parts still encoded.

    Pictures come as the bytes they are stored in; strings and numbers as they are.
    Sounds come as samples and are encoded as WAV again, without loss for 16 bits.

    Args:
        name: Name of the dataset, such as `"mnist"` or `"keypad_arithmetic"`.
        inputs: Feature of the dataset by name of the input, such as
            `{"image": "image"}`.
        targets: Feature by name of the target.
        splits: Split of the dataset by split name, such as `{"valid":
            "train[90%:]"}`; None for those that it has.
        data_dir: Folder of prepared datasets; None for tensorflow-datasets's own.
        each: Feature that is a sequence, such as the captions of a picture: every
            element of it makes a row. What is in it is called as in
            `"captions/text"`. An example where it is empty makes no row.

    Returns:
        `{split: tf.data.Dataset}` of `({input: raw scalar}, {target: value})`.

    Raises:
        ValueError: If the dataset is not prepared in `data_dir` or lacks a feature
            that is asked for.
    """
    import tensorflow as tf
    import tensorflow_datasets as tfds

    builder = _prepared(name, data_dir)
    features = _flat(builder.info.features, each)
    wanted = {**inputs, **(targets or {})}
    missing = sorted(set(wanted.values()) - set(features))
    if missing:
        raise ValueError(
            f"The dataset {name!r} has no feature {missing}. It has {sorted(features)}."
        )
    raw = {
        feature: tfds.decode.SkipDecoding()
        for feature in wanted.values()
        if isinstance(features[feature], tfds.features.Image)
    }

    def value(example, feature):
        x = example
        for part in feature.split("/") if feature not in example else [feature]:
            x = x[part]
        if not isinstance(features[feature], tfds.features.Audio):
            return tf.cast(x, tf.float32) if x.dtype.is_floating else x
        rate = features[feature].sample_rate or 16_000
        wave = tf.reshape(tf.cast(x, tf.float32) / 2**15, (-1, 1))
        return tf.audio.encode_wav(wave, rate)

    def row(example):
        return (
            {name: value(example, feature) for name, feature in inputs.items()},
            {
                name: value(example, feature)
                for name, feature in (targets or {}).items()
            },
        )

    splits = splits or {split: split for split in builder.info.splits}
    loaded = {
        split: builder.as_dataset(split=part, decoders=raw)
        for split, part in splits.items()
    }
    if each is not None:
        loaded = {split: _of_each(rows, each) for split, rows in loaded.items()}
    return {split: rows.map(row) for split, rows in loaded.items()}


def frame(name, *, inputs, targets=None, splits=None, data_dir=None, each=None):
    """A prepared dataset as a table in memory, to join with others.

    Args:
        name: As for `load`, and so are the others.
        inputs: Feature of the dataset by name of the column.
        targets: Feature by name of the column.
        splits: Split of the dataset by split name.
        data_dir: Folder of prepared datasets.
        each: Feature that is a sequence, every element of which makes a row.

    Returns:
        A polars frame with a column per input and target, pictures and sounds as
        bytes, labels as their names; and `split`. See `by_label` and `by_key` of
        `data_pipelines.tables.align`, and `data_pipelines.sources.table.from_frame`.

    Raises:
        ValueError: As `load` does.
    """
    import polars as pl

    loaded = load(
        name,
        inputs=inputs,
        targets=targets,
        splits=splits,
        data_dir=data_dir,
        each=each,
    )
    wanted = {**inputs, **(targets or {})}
    features = _flat(_prepared(name, data_dir).info.features, each)
    said = {
        column: features[feature].int2str
        for column, feature in wanted.items()
        if hasattr(features[feature], "int2str")
    }
    parts = []
    for split, rows in loaded.items():
        columns = {column: [] for column in wanted}
        for values, truth in rows.as_numpy_iterator():
            for column, value in {**values, **truth}.items():
                value = said[column](int(value)) if column in said else value
                columns[column].append(value)
        part = pl.DataFrame(columns).with_columns(split=pl.lit(split))
        parts.append(part)
    texts = [
        column
        for column, feature in wanted.items()
        if features[feature].dtype.name == "string"
    ]
    return pl.concat(parts).with_columns(pl.col(texts).cast(pl.String))


def _flat(features, each):
    """Features by name, those of a sequence whose elements make rows among them."""
    features = dict(features)
    if each is None:
        return features
    parts = getattr(features.get(each), "feature", None)
    if parts is None:
        raise ValueError(
            f"Rows are made of each element of a sequence, which {each!r} is not. The "
            f"features are {sorted(features)}."
        )
    if not hasattr(parts, "items"):
        return {**features, each: parts}
    return {**features, **{f"{each}/{name}": part for name, part in parts.items()}}


def _of_each(rows, each):
    import tensorflow as tf

    def several(example):
        elements = tf.data.Dataset.from_tensor_slices(example[each])
        return elements.map(lambda element: {**example, each: element})

    return rows.flat_map(several)


def prepare(name, archives, data_dir=None):
    """Prepares a dataset from archives that are at hand, without the network.

    Args:
        name: Name of the dataset, such as `"spoken_digit"`.
        archives: Folder of the files that tensorflow-datasets would download.
        data_dir: Folder of prepared datasets; None for tensorflow-datasets's own.

    Raises:
        ValueError: If one of the files is not there, at once and not after minutes of
            trying to download it.
    """
    import tensorflow_datasets as tfds

    data_pipelines.datasets.builders.register()
    builder = tfds.builder(name, data_dir=data_dir)
    if builder.data_path.exists():
        return
    folder = pathlib.Path(archives)
    missing = {
        url: info.filename
        for url, info in builder.url_infos.items()
        if info.filename and not (folder / info.filename).is_file()
    }
    if missing:
        told = "; ".join(f"`{file}` from {url}" for url, file in missing.items())
        raise ValueError(f"To prepare {name!r}, put into `{folder}`: {told}.")
    config = tfds.download.DownloadConfig(manual_dir=str(folder))
    builder.download_and_prepare(download_config=config)


def _prepared(name, data_dir):
    import tensorflow_datasets as tfds

    data_pipelines.datasets.builders.register()
    builder = tfds.builder(name, data_dir=data_dir)
    if not builder.data_path.exists():
        raise ValueError(
            f"The dataset {name!r} is not prepared in `{builder.data_path}`. Prepare "
            f"it with `data_pipelines.sources.tfds.prepare({name!r}, archives)`, where "
            "`archives` is the folder of what it would download."
        )
    return builder
