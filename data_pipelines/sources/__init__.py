"""Where rows come from, one file per kind of source.

The import line below is the registration. Every source has a public `load(...)`, see
`data_pipelines.protocols.Source`. `open_table` opens all that hold a table.
"""

from data_pipelines.sources import arrays
from data_pipelines.sources import dataset
from data_pipelines.sources import memory
from data_pipelines.sources import shards
from data_pipelines.sources import table
from data_pipelines.sources import tar
from data_pipelines.sources import tfds
from data_pipelines.sources.open_any import open_table

SOURCES = {
    module.__name__.rpartition(".")[2]: module
    for module in (arrays, dataset, memory, shards, table, tar, tfds)
}
