"""Arrays in, numbers out: scores that Keras does not have."""

from mbm_keras.metrics.captions import caption_scores
from mbm_keras.metrics.confusion import confusion
from mbm_keras.metrics.separation import sdr
from mbm_keras.metrics.separation import separation_scores
from mbm_keras.metrics.separation import si_sdr

__all__ = ["caption_scores", "confusion", "sdr", "separation_scores", "si_sdr"]
