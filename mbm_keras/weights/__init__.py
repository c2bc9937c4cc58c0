"""Published weights: from a folder with a checkpoint to a Keras model.

    folder = mbm.weights.fetch("sentence-transformers/all-MiniLM-L6-v2")
    encoder = mbm.weights.load(folder)
    encoder({"token_ids": ids, "mask": ids != 0})["embedding"]

Tensors are read from safetensors files; a pickle is never opened.
"""

from mbm_keras.weights.fetch import fetch
from mbm_keras.weights.folder import Folder
from mbm_keras.weights.folder import open_folder
from mbm_keras.weights.load import fill
from mbm_keras.weights.load import load
from mbm_keras.weights.paths import fill_by_path

__all__ = ["Folder", "fetch", "fill", "fill_by_path", "load", "open_folder"]
