"""Keypad arithmetic as a tensorflow-datasets builder."""
