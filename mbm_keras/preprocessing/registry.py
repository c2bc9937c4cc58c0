"""Every preprocessor of a whole input, by class name."""

from mbm_keras.preprocessing.audio import LogMel
from mbm_keras.preprocessing.audio import Waveform
from mbm_keras.preprocessing.caption import Caption
from mbm_keras.preprocessing.faces import Faces
from mbm_keras.preprocessing.image import Pixels
from mbm_keras.preprocessing.points import Points
from mbm_keras.preprocessing.table import TableRow
from mbm_keras.preprocessing.text import WordIds
from mbm_keras.preprocessing.video import Frames

PREPROCESSORS = {
    x.__name__: x
    for x in (
        Caption,
        Faces,
        Frames,
        LogMel,
        Pixels,
        Points,
        TableRow,
        Waveform,
        WordIds,
    )
}
