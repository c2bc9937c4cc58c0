"""Datasets that the package makes itself, also as `tensorflow-datasets` builders."""
