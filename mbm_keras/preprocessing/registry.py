"""Every preprocessor and every target, by class name."""

from mbm_keras.preprocessing.audio import LogMel
from mbm_keras.preprocessing.audio import Waveform
from mbm_keras.preprocessing.caption import Caption
from mbm_keras.preprocessing.caption import CaptionIds
from mbm_keras.preprocessing.clap_mel import ClapLogMel
from mbm_keras.preprocessing.embedding import Embedding
from mbm_keras.preprocessing.faces import Faces
from mbm_keras.preprocessing.filter_banks import FilterBanks
from mbm_keras.preprocessing.grams import WordGrams
from mbm_keras.preprocessing.image import Pixels
from mbm_keras.preprocessing.labels import Labels
from mbm_keras.preprocessing.matches import Matches
from mbm_keras.preprocessing.normalized_wave import NormalizedWaveform
from mbm_keras.preprocessing.page_target import PageFields
from mbm_keras.preprocessing.page_words import PageWords
from mbm_keras.preprocessing.point_frames import PointFrames
from mbm_keras.preprocessing.points import Points
from mbm_keras.preprocessing.prompt import PromptIds
from mbm_keras.preprocessing.published_pixels import PublishedPixels
from mbm_keras.preprocessing.quantities import Quantities
from mbm_keras.preprocessing.quantity import Quantity
from mbm_keras.preprocessing.sounds import Sounds
from mbm_keras.preprocessing.speech_mel import SpeechLogMel
from mbm_keras.preprocessing.subwords import Subwords
from mbm_keras.preprocessing.table import TableRow
from mbm_keras.preprocessing.targets import Label
from mbm_keras.preprocessing.text import WordIds
from mbm_keras.preprocessing.transcript import Transcript
from mbm_keras.preprocessing.utterance import Utterance
from mbm_keras.preprocessing.vector import Vector
from mbm_keras.preprocessing.video import Frames
from mbm_keras.preprocessing.whisper_mel import WhisperLogMel
from mbm_keras.preprocessing.word_characters import WordCharacters
from mbm_keras.preprocessing.yamnet_mel import YamnetLogMel

_PREPROCESSORS = (
    CaptionIds,
    ClapLogMel,
    Embedding,
    Faces,
    FilterBanks,
    Frames,
    LogMel,
    NormalizedWaveform,
    PageWords,
    Pixels,
    PointFrames,
    Points,
    PromptIds,
    PublishedPixels,
    Subwords,
    SpeechLogMel,
    TableRow,
    Vector,
    Waveform,
    WhisperLogMel,
    WordCharacters,
    WordGrams,
    WordIds,
    YamnetLogMel,
)
_TARGETS = (
    Caption,
    Label,
    Labels,
    Matches,
    PageFields,
    Quantities,
    Quantity,
    Sounds,
    Transcript,
    Utterance,
)

PREPROCESSORS = {kind.__name__: kind for kind in _PREPROCESSORS}
TARGETS = {kind.__name__: kind for kind in _TARGETS}
