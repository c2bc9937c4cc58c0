"""Fusion layers: several embeddings or sequences in, one embedding out.

A fusion file never knows which modality it is given. Every layer is called as
`fusion(inputs, present=present)`, where `present` is `(batch, n)` bool or None:
the output does not depend on the content of an absent input. The line in
`FUSIONS` is the registration. A layer with `takes_sequences = True` wants towers
built with `pool=False`.
"""

from mbm_keras.fusion.attention import AttentionFusion
from mbm_keras.fusion.concatenation import ConcatenationFusion
from mbm_keras.fusion.film import FiLMFusion
from mbm_keras.fusion.gated import GatedFusion
from mbm_keras.fusion.sum import SumFusion

FUSIONS = {
    "attention": AttentionFusion,
    "concatenation": ConcatenationFusion,
    "film": FiLMFusion,
    "gated": GatedFusion,
    "sum": SumFusion,
}
