"""The zoo. One import per model, and the import is the registration.

Every model file has the same two public names:

    build(...)   returns a functional `keras.Model`
    PRESETS      keyword arguments by name; "tiny" is the one the tests build
"""

from types import ModuleType

from mbm_keras.models import film
from mbm_keras.models import gated_multimodal_unit
from mbm_keras.models import image_classifier
from mbm_keras.models import late_fusion
from mbm_keras.models import looking_to_listen
from mbm_keras.models import low_rank_fusion
from mbm_keras.models import mbt
from mbm_keras.models import mcan
from mbm_keras.models import mult
from mbm_keras.models import mvae
from mbm_keras.models import perceiver_io
from mbm_keras.models import show_attend_tell
from mbm_keras.models import tensor_fusion_network

ZOO = {name: x for name, x in dict(vars()).items() if isinstance(x, ModuleType)}
