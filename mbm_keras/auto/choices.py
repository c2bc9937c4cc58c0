"""What `mbm train` chooses by itself, each choice with its reason.

The figures behind the reasons are in `benchmarks/RESULTS.md`.
"""

import contextlib
import dataclasses
import io
import statistics

from mbm_keras.inputs import tower_name
from mbm_keras.inputs import towers_of

WIDTH = 128
_LOOK = 200  # files looked at to choose a size


def target_for(table, task=None):
    """What the target means: one label, several labels or a number.

    Args:
        table: A `data_pipelines.tables.table.Table`.
        task: `"label"`, `"labels"` or `"number"`; None to find out.

    Returns:
        A `Label`, `Labels` or `Quantity`, not adapted.
    """
    import polars as pl

    from mbm_keras.preprocessing import Label
    from mbm_keras.preprocessing import Labels
    from mbm_keras.preprocessing import Quantity

    if task is not None:
        return {"label": Label, "labels": Labels, "number": Quantity}[task]()
    values = table.frame[table.target]
    distinct = values.drop_nulls().n_unique()
    if isinstance(values.dtype, pl.List):
        return Labels()
    if values.dtype == pl.String and values.str.contains("|", literal=True).any():
        return Labels()
    # Whole numbers of few kinds are names of classes; the rest is measured.
    if values.dtype.is_float() and not (values.drop_nulls() % 1 == 0).all():
        return Quantity()
    if values.dtype.is_numeric() and distinct > max(20, len(values) ** 0.5):
        return Quantity()
    return Label()


def features_for(table):
    """A preprocessor for every input, sized by a look into the files.

    Numbers and categories become one input, `table`.

    Args:
        table: A `data_pipelines.tables.table.Table`.

    Returns:
        A `Features`, not adapted.
    """
    from mbm_keras.preprocessing import Category
    from mbm_keras.preprocessing import Features
    from mbm_keras.preprocessing import Frames
    from mbm_keras.preprocessing import LogMel
    from mbm_keras.preprocessing import Number
    from mbm_keras.preprocessing import Pixels
    from mbm_keras.preprocessing import Points
    from mbm_keras.preprocessing import TableRow
    from mbm_keras.preprocessing import WordIds

    by_name = {}
    for name in table.columns_of("text"):
        by_name[name] = WordIds()
    for name in table.columns_of("image"):
        by_name[name] = Pixels(image_size(_some_files(table, name)))
    for name in table.columns_of("audio"):
        rate, seconds = audio_size(_some_files(table, name))
        by_name[name] = LogMel(rate, seconds, num_mel_bins=40 if rate <= 8_000 else 64)
    for name in table.columns_of("video"):
        seconds, size = clip_size(_some_files(table, name))
        # The sound of a clip is heard for as long as it is seen.
        sound = by_name.get(table.sound_of(name))
        seconds = sound.seconds if isinstance(sound, LogMel) else seconds
        by_name[name] = Frames(8, size, seconds)
    for name in table.columns_of("points"):
        by_name[name] = Points(512, stride=row_of_points(_some_files(table, name)))
    numbers = {name: Number() for name in table.columns_of("number")}
    categories = {name: Category() for name in table.columns_of("category")}
    if numbers or categories:
        name = "table" if "table" not in by_name else "table_columns"
        by_name[name] = TableRow(numbers, categories)
    return Features(**by_name)


def image_size(files):
    """The side of the square: that of the median picture, 32 to 128, in 16s.

    Smaller pictures gain nothing by being blown up; a model that two cores train in
    minutes cannot look at more than 128 x 128.
    """
    from PIL import Image

    sides = []
    for file in files:
        try:
            with Image.open(file) as picture:
                sides.append(sum(picture.size) / 2)
        except (OSError, ValueError):
            continue  # the decoder will say what is wrong with it
    side = statistics.median(sides) if sides else 64
    return int(min(128, max(32, 16 * round(side / 16))))


def audio_size(files):
    """Rate and length: the commonest rate, at most 16 kHz; nineteen sounds in twenty
    fit in whole, ten seconds at most.
    """  # noqa: D205
    import soundfile

    from data_pipelines.formats import video

    rates, seconds = [], []
    for file in files:
        try:
            info = soundfile.info(file)
            rate, lasts = info.samplerate, info.frames / info.samplerate
        except soundfile.LibsndfileError:
            try:
                told = video.probe(file.getvalue())
            except ValueError:
                continue  # the decoder will say what is wrong with it
            rate, lasts = told["rate"], told["seconds"]
        if rate and lasts:
            rates.append(rate)
            seconds.append(lasts)
    if not rates:
        return 16_000, 1.0
    longest = sorted(seconds)[int(0.95 * (len(seconds) - 1))]
    return min(16_000, statistics.mode(rates)), round(min(10.0, max(0.1, longest)), 2)


def clip_size(files):
    """Length and side of the square: nine clips in ten fit in whole, ten seconds at
    most; the side of the median frame, 32 to 64, in 16s.
    """  # noqa: D205
    from data_pipelines.formats import video

    seconds, sides = [], []
    for file in files:
        try:
            told = video.probe(file.getvalue())
        except ValueError:
            continue  # the decoder will say what is wrong with it
        if told["seconds"] and told["side"]:
            seconds.append(told["seconds"])
            sides.append(told["side"])
    if not sides:
        return 1.0, 64
    longest = sorted(seconds)[int(0.9 * (len(seconds) - 1))]
    side = int(min(64, max(32, 16 * round(statistics.median(sides) / 16))))
    return round(min(10.0, max(0.1, longest)), 2), side


def row_of_points(files):
    """How many numbers a row of bare points has: five if all files say so, else four.

    KITTI's have four, those of nuScenes five.
    """
    sizes = {len(file.getvalue()) for file in files}
    return 5 if sizes and all(size % 20 == 0 for size in sizes) else 4


def learned_columns(table):
    """Names of the columns that vocabularies and statistics are learned from."""
    return [
        *table.columns_of("text"),
        *table.columns_of("number"),
        *table.columns_of("category"),
    ]


def towers_for(features):
    """Builders by input name, where `late_fusion`'s default will not do.

    Convolutions that halve the picture until two places are left along each axis:
    then each has seen all of it.
    """
    import functools

    from mbm_keras.towers import audio_cnn
    from mbm_keras.towers import image_cnn

    towers = {}
    for feature in features.inputs():
        if feature.modality == "image":
            halvings = (feature.sizes["size"] - 1).bit_length() - 1
            towers[feature.name] = functools.partial(
                image_cnn.build, filters=(16, 32, 64, 128, 128, 128)[:halvings]
            )
        elif feature.modality == "audio":
            towers[feature.name] = functools.partial(
                audio_cnn.build, filters=(16, 32, 64)
            )
    return towers


def augmentation(features):
    """Small changes of pictures and sounds that leave their meaning alone."""
    from data_pipelines import augment

    changes = {
        "image": augment.pictures,
        "audio": augment.spectrograms,
        "video": lambda: augment.frames(augment.pictures()),
    }
    return {
        feature.name: changes[feature.modality]()
        for feature in features.inputs()
        if feature.modality in changes
    }


def stages(model, epochs, learning_rate, chance, histories):
    """The stages: towers alone, then their fusion, then everything.

    What is frozen in the second stage depends on how the first went. A tower that
    learned nothing alone, such as the sentence of a question whose answer is in an
    image, has nothing worth freezing; it trains along with the fusion.

    Args:
        model: The model to train.
        epochs: Passes of the last stage, None for a choice.
        learning_rate: Peak step size of Adam.
        chance: The validation loss of the best constant answer.
        histories: By stage name; filled in between.

    Yields:
        A `Stage` after the other.
    """
    for stage in expected_stages(model, epochs, learning_rate):
        frozen = tuple(
            tower_name(key)
            for key in towers_of(model)
            if stage.name == "fusion"
            and learned_something(histories[f"{key} unimodal"], chance)
        )
        yield dataclasses.replace(stage, frozen=frozen)


def expected_stages(model, epochs, learning_rate):
    """The stages, before it is known what the second one freezes."""
    from mbm_keras.training import Stage

    towers = list(towers_of(model))
    if len(towers) == 1:
        return [Stage("unimodal", epochs or 24, learning_rate, patience=6)]
    return [
        *(
            Stage(f"{key} unimodal", 5, learning_rate, unimodal=key, patience=2)
            for key in towers
        ),
        Stage("fusion", 10, learning_rate, patience=3),
        Stage("finetune", epochs or 20, learning_rate, patience=4),
    ]


def learned_something(history, chance):
    """Whether a tower alone came 5 % below the loss of one who does not look.

    Args:
        history: Of its stage.
        chance: The validation loss of the best constant answer, see `Task.chance`.
    """
    return min(history["val_loss"]) < 0.95 * chance


def check_splits(samples, table):
    """Stops before training where there is nothing to learn from or to check on.

    Raises:
        ValueError: If the training or the validation split has no good row.
    """
    for split in ("train", "valid"):
        if split not in samples or not len(samples[split]):
            raise ValueError(
                f"`{table}` has no good row in the split {split!r}: "
                f"{ {name: len(part) for name, part in samples.items()} }."
            )


def sample(table, features, rows=8, most_bytes=4_000_000):
    """Some raw rows by column, files as their bytes, to prove an export with."""
    from data_pipelines.tables.modality import FILES

    taken = {}
    for name, held in table.columns.items():
        cells = list(table.raw(name)[:rows])
        if held in FILES:
            cells, _ = table.read_cells(name, cells, features.by_name[name])
            cells = [cell if len(cell) < most_bytes else b"" for cell in cells]
        elif held == "number":
            cells = [float(cell) for cell in cells]
        taken[name] = cells
    return taken


def best_of(history):
    """The figures of the epoch with the best validation loss, and its number."""
    epoch = min(range(len(history["val_loss"])), key=history["val_loss"].__getitem__)
    figures = {name: round(values[epoch], 4) for name, values in history.items()}
    return {"epochs": len(history["val_loss"]), "best": epoch + 1, **figures}


def facts(summary, table):
    """What the head of a report says."""
    inputs = ", ".join(f"{name} ({kind})" for name, kind in summary["inputs"].items())
    return {
        "table": str(table),
        "rows": f"{summary['rows']}, {summary['quarantined']} set aside",
        "inputs": inputs,
        "target": f"{summary['target']} ({summary['task']})",
        "model": f"late fusion, {summary['fusion']}, {summary['parameters']:,} weights",
        "seed": summary["seed"],
        "time": f"{summary['seconds']} s, {summary['cpu_seconds']} CPU-seconds",
    }


def lines(summary, metric):
    """What a person reads at the end of `mbm train`."""
    told = [f"{'stage':<24}{metric:>12}"]
    for name, figures in summary["stages"].items():
        told.append(f"{name:<24}{figures[f'val_{metric}']:>12.4f}")
    for split, figures in summary["splits"].items():
        told.append(
            f"{split} ({figures['rows']} rows)".ljust(24) + f"{figures[metric]:>12.4f}"
        )
    told.append(f"report: {summary['run']}/report.html")
    return told


def _some_files(table, name):
    """Some hundred files of a column, opened."""
    from data_pipelines import stores

    cells = table.raw(name).unique(maintain_order=True).drop_nulls()
    for cell in cells.gather_every(max(1, len(cells) // _LOOK)):
        with contextlib.suppress(stores.Unreadable):
            yield io.BytesIO(table.store.get(table.source_column(name), cell))
