"""Encoders: published architectures, layer by layer, for published weights.

A file is a family. It has three public names:

    build(...)           returns a functional `keras.Model` with named inputs and a dict
                         of outputs, whose layers have the names of a checkpoint
    from_config(config)  arguments of `build` from the `config.json` of a checkpoint
    PRESETS              published sizes, with their numbers of parameters

`mbm_keras.weights.load` fills one from a folder. `mbm_keras.towers.pretrained` makes a
tower of one.
"""

from types import ModuleType

from mbm_keras.encoders import ast
from mbm_keras.encoders import bert
from mbm_keras.encoders import clap_audio
from mbm_keras.encoders import clap_text
from mbm_keras.encoders import clip_image
from mbm_keras.encoders import clip_text
from mbm_keras.encoders import dinov2
from mbm_keras.encoders import distilbert
from mbm_keras.encoders import efficientnet_lite
from mbm_keras.encoders import modernbert
from mbm_keras.encoders import mpnet
from mbm_keras.encoders import r2plus1d
from mbm_keras.encoders import siglip_image
from mbm_keras.encoders import siglip_text
from mbm_keras.encoders import speech_embedding
from mbm_keras.encoders import swin
from mbm_keras.encoders import torchvision_resnet
from mbm_keras.encoders import vit
from mbm_keras.encoders import wav2vec2
from mbm_keras.encoders import whisper
from mbm_keras.encoders import yamnet

ENCODERS = {name: x for name, x in dict(vars()).items() if isinstance(x, ModuleType)}
