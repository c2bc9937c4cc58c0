"""What the rows of a table hold: columns, modalities, splits, keys."""
