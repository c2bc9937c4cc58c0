"""Sources. One import per source, and the import is the registration.

Every source file has a public `load(...)`: it returns `{split: tf.data.Dataset}` of
`({name: raw scalar}, {name: target})`. Raw means a UTF-8 string, the encoded bytes
of an image or a sound, a float or a category string; absent is `b""`, or NaN for a
number.
"""

from types import ModuleType

from data_pipelines.sources import arrays
from data_pipelines.sources import dataset
from data_pipelines.sources import shards
from data_pipelines.sources import table
from data_pipelines.sources import tar
from data_pipelines.sources import tfds
from data_pipelines.tables.table import select

SOURCES = {name: x for name, x in dict(vars()).items() if isinstance(x, ModuleType)}


def open_table(
    path,
    *,
    target=None,
    columns=None,
    inputs=None,
    split=None,
    group=None,
    fractions=None,
    seed=0,
    allow_outside=False,
):
    """Opens whatever holds rows: a table, a folder of shards, tar shards.

    Args:
        path: See `table.open_table`, `shards.open_raw` and `tar.open_raw`.
        target: As for `table.open_table`, and so are the others.
        columns: Modality by column name, where the guess will not do.
        inputs: Names of the inputs, in order.
        split: Name of the column of splits.
        group: Name of a column whose values never cross splits.
        fractions: Share of rows by split name, where no column tells them.
        seed: Seed of that draw.
        allow_outside: True to follow the paths of a table out of its folder.

    Returns:
        A `data_pipelines.tables.table.Table`.
    """
    if shards.is_shards(path):
        opened = shards.open_raw(path)
    elif tar.is_tar(path):
        opened = tar.open_raw(path)
    else:
        opened = table.open_raw(path, allow_outside=allow_outside)
    return select(
        opened,
        target=target,
        columns=columns,
        inputs=inputs,
        split=split,
        group=group,
        fractions=fractions,
        seed=seed,
    )
