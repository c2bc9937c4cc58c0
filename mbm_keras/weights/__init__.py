"""Published weights: from a folder with a checkpoint to a Keras model.

encoder = mbm.weights.load("all-MiniLM-L6-v2")
encoder({"token_ids": ids, "mask": ids != 0})["embedding"]
"""

from mbm_keras.weights.folder import Folder
from mbm_keras.weights.folder import open_folder
from mbm_keras.weights.load import fill
from mbm_keras.weights.load import load

__all__ = ["Folder", "fill", "load", "open_folder"]
