"""Shapes and scenes as a tensorflow-datasets builder."""
