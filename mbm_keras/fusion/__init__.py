"""Fusion layers: several embeddings or sequences in, one embedding out.

A fusion does not know the modalities of its inputs. It is called as
`fusion(inputs, present=present)`, with `present` `(batch, n)` bool or None. Its output
does not depend on the content of an absent input, and it works with every subset of at
least one input. The import line is the registration: `FUSIONS` has the class of each
file by the file's name. A layer with `takes_sequences = True` takes the sequences of
towers built with `pool=False`.
"""

from mbm_keras.fusion.attention import AttentionFusion
from mbm_keras.fusion.block import BlockFusion
from mbm_keras.fusion.bottleneck import BottleneckFusion
from mbm_keras.fusion.compact_bilinear import CompactBilinearFusion
from mbm_keras.fusion.concatenation import ConcatenationFusion
from mbm_keras.fusion.cross_attention import CrossAttentionFusion
from mbm_keras.fusion.cross_modal import CrossModalFusion
from mbm_keras.fusion.film import FiLMFusion
from mbm_keras.fusion.gated import GatedFusion
from mbm_keras.fusion.in_step import InStepFusion
from mbm_keras.fusion.low_rank import LowRankFusion
from mbm_keras.fusion.matrix_interaction import MatrixInteraction
from mbm_keras.fusion.maximum import MaximumFusion
from mbm_keras.fusion.mean import MeanFusion
from mbm_keras.fusion.mfb import MFBFusion
from mbm_keras.fusion.mfh import MFHFusion
from mbm_keras.fusion.mixture_of_experts import MixtureOfExperts
from mbm_keras.fusion.mlb import MLBFusion
from mbm_keras.fusion.mutan import MUTANFusion
from mbm_keras.fusion.non_local import NonLocalFusion
from mbm_keras.fusion.perceiver import PerceiverFusion
from mbm_keras.fusion.perceiver_io import PerceiverIOFusion
from mbm_keras.fusion.product import ProductFusion
from mbm_keras.fusion.product_of_experts import ProductOfExperts
from mbm_keras.fusion.scalar_interaction import ScalarInteraction
from mbm_keras.fusion.squeeze_excitation import SqueezeExcitationFusion
from mbm_keras.fusion.sum import SumFusion
from mbm_keras.fusion.tensor import TensorFusion
from mbm_keras.fusion.transformer import TransformerFusion
from mbm_keras.fusion.tucker import TuckerFusion
from mbm_keras.fusion.vector_interaction import VectorInteraction

FUSIONS = {
    layer.__module__.rpartition(".")[2]: layer
    for layer in dict(vars()).values()
    if isinstance(layer, type)
}
