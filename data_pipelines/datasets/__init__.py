"""Datasets that this package generates, also as `tensorflow-datasets` builders."""
