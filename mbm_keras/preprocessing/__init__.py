"""Raw strings and encoded bytes to arrays, once, for training and for serving.

A preprocessor is a `tf.Module`: one raw example in, one array out. It has

    raw          TensorSpec of the raw scalar; a table has a dict of them by column
    array        TensorSpec of the array
    modality     "text", "image", "audio", "video", "faces", "points", "table" or
                 "wave"
    adapt(values)  learns from raw training values, where there is something to learn
    sizes()      what a tower of that modality must know
    config()     what JSON must keep to build it again

The line in `PREPROCESSORS` is the registration.
"""

from mbm_keras.preprocessing.audio import LogMel
from mbm_keras.preprocessing.audio import Sounds
from mbm_keras.preprocessing.audio import Waveform
from mbm_keras.preprocessing.caption import Caption
from mbm_keras.preprocessing.faces import Faces
from mbm_keras.preprocessing.features import Features
from mbm_keras.preprocessing.image import Pixels
from mbm_keras.preprocessing.points import Points
from mbm_keras.preprocessing.registry import PREPROCESSORS
from mbm_keras.preprocessing.table import Category
from mbm_keras.preprocessing.table import Number
from mbm_keras.preprocessing.table import TableRow
from mbm_keras.preprocessing.targets import TARGETS
from mbm_keras.preprocessing.targets import Label
from mbm_keras.preprocessing.targets import Labels
from mbm_keras.preprocessing.targets import Quantity
from mbm_keras.preprocessing.text import WordIds
from mbm_keras.preprocessing.video import Frames

__all__ = [
    "PREPROCESSORS",
    "TARGETS",
    "Caption",
    "Category",
    "Faces",
    "Features",
    "Frames",
    "Label",
    "Labels",
    "LogMel",
    "Number",
    "Pixels",
    "Points",
    "Quantity",
    "Sounds",
    "TableRow",
    "Waveform",
    "WordIds",
]
