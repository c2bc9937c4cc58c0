"""Names of the arrays that a batch holds in addition to the inputs.

`mbm_keras.inputs` gives the same names to the inputs of models. This package imports
nothing of `mbm_keras`, so a test compares the two modules.
"""

PRESENT = "present"  # `(batch, n)` bool: which inputs each row has
VALID = "valid:row"  # `(batch,)` bool: which rows are rows of the data, see `shard`


def index_name(key: str) -> str:
    """Name of `(batch,)` int32: which distinct value of an input each row has."""
    return f"{key}_index"
