"""Towers: one modality in, one embedding or one sequence out.

A tower file knows only its own modality. It has two public names:

    build(...)   returns a functional `keras.Model` with one `Input`
    PRESETS      keyword arguments by name; the tests build "tiny"

`pool=False` returns the sequence `(batch, n, width)` with its Keras mask. The import
line is the registration: `TOWERS` has the module of each file by the file's name.
"""

from types import ModuleType

from mbm_keras.towers import audio_attention
from mbm_keras.towers import audio_cnn
from mbm_keras.towers import audio_crnn
from mbm_keras.towers import audio_statistics
from mbm_keras.towers import ft_transformer
from mbm_keras.towers import image_application
from mbm_keras.towers import image_cnn
from mbm_keras.towers import image_resnet
from mbm_keras.towers import image_statistics
from mbm_keras.towers import points_gru
from mbm_keras.towers import points_net
from mbm_keras.towers import pretrained
from mbm_keras.towers import sequence_linear
from mbm_keras.towers import sequence_rnn
from mbm_keras.towers import table_mlp
from mbm_keras.towers import tabm
from mbm_keras.towers import text_cnn
from mbm_keras.towers import text_rnn
from mbm_keras.towers import text_transformer
from mbm_keras.towers import text_wide_deep
from mbm_keras.towers import vector_mlp
from mbm_keras.towers import video_cnn
from mbm_keras.towers import video_frame
from mbm_keras.towers import video_r2plus1d

TOWERS = {name: x for name, x in dict(vars()).items() if isinstance(x, ModuleType)}
