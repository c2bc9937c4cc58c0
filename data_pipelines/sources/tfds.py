"""Any dataset of tensorflow-datasets, by name."""

import data_pipelines.builders


def load(name, *, inputs, targets=None, splits=None, data_dir=None):
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

    Returns:
        `{split: tf.data.Dataset}` of `({input: raw scalar}, {target: value})`.

    Raises:
        ValueError: If the dataset is not prepared in `data_dir` or lacks a feature
            that is asked for.
    """
    import tensorflow as tf
    import tensorflow_datasets as tfds

    data_pipelines.builders.register()
    builder = tfds.builder(name, data_dir=data_dir)
    if not builder.data_path.exists():
        raise ValueError(
            f"The dataset {name!r} is not prepared in `{builder.data_path}`. Prepare "
            f"it with `tfds.builder({name!r}).download_and_prepare()`, its archive in "
            "the `manual_dir` where the network is out of reach."
        )
    features = builder.info.features
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
        x = example[feature]
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
    return {
        split: builder.as_dataset(split=part, decoders=raw).map(row)
        for split, part in splits.items()
    }
