"""Layers that two or more towers, fusions or models use."""

from mbm_keras.layers.attention_block import AttentionBlock
from mbm_keras.layers.attention_mean import AttentionMean
from mbm_keras.layers.attention_pool import AttentionPool
from mbm_keras.layers.calibrated_mean import CalibratedMean
from mbm_keras.layers.cepstra import Cepstra
from mbm_keras.layers.cepstra import WithSlopes
from mbm_keras.layers.clip_values import ClipValues
from mbm_keras.layers.conformer_block import ConformerBlock
from mbm_keras.layers.crops import MeanOfCrops
from mbm_keras.layers.crops import TakeCrops
from mbm_keras.layers.crops import crop_length
from mbm_keras.layers.crops import crops_present
from mbm_keras.layers.crops import mean_of_crops
from mbm_keras.layers.crops import split_crops
from mbm_keras.layers.decoder_block import DecoderBlock
from mbm_keras.layers.decoder_block import DecoderSizes
from mbm_keras.layers.encoder_block import BlockNames
from mbm_keras.layers.encoder_block import EncoderBlock
from mbm_keras.layers.encoder_tokens import AddFirstRow
from mbm_keras.layers.encoder_tokens import AddGridPositions
from mbm_keras.layers.encoder_tokens import AddPositions
from mbm_keras.layers.encoder_tokens import PrependTokens
from mbm_keras.layers.encoder_tokens import ScaleChannels
from mbm_keras.layers.fitted import FittedGrams
from mbm_keras.layers.fitted import FittedLinear
from mbm_keras.layers.fitted import FittedTrees
from mbm_keras.layers.gradient_scale import GradientScale
from mbm_keras.layers.head_attention import HeadAttention
from mbm_keras.layers.image_statistics import ImageStatistics
from mbm_keras.layers.in_chunks import InChunks
from mbm_keras.layers.layout_attention import LayoutBias
from mbm_keras.layers.layout_attention import LayoutBlock
from mbm_keras.layers.layout_attention import distance_bucket
from mbm_keras.layers.learned_tokens import LearnedTokens
from mbm_keras.layers.learned_tokens import repeat_for
from mbm_keras.layers.low_rank import LowRankDense
from mbm_keras.layers.masked_batch_normalization import MaskedBatchNormalization
from mbm_keras.layers.masked_mean import MaskedMean
from mbm_keras.layers.masked_mean import masked_mean
from mbm_keras.layers.modality_dropout import ModalityDropout
from mbm_keras.layers.named_activation import NamedActivation
from mbm_keras.layers.normalize_frames import NormalizeFrames
from mbm_keras.layers.number_embedding import NumberEmbedding
from mbm_keras.layers.number_embedding import normal_edges
from mbm_keras.layers.padding import AttachMask
from mbm_keras.layers.padding import PadSteps
from mbm_keras.layers.padding import ValidMask
from mbm_keras.layers.padding import halve_mask
from mbm_keras.layers.padding import nonzero_rows
from mbm_keras.layers.padding import nonzero_steps
from mbm_keras.layers.padding import zero_padding
from mbm_keras.layers.page_boxes import BoxCodes
from mbm_keras.layers.page_boxes import MoveBoxes
from mbm_keras.layers.page_boxes import SampleGrid
from mbm_keras.layers.pair_logits import PairLogits
from mbm_keras.layers.partly_frozen import PartlyFrozen
from mbm_keras.layers.patches import embed_patches
from mbm_keras.layers.patches import grid_of
from mbm_keras.layers.patches import pair
from mbm_keras.layers.pixel_values import PixelValues
from mbm_keras.layers.pixel_values import pixel_values
from mbm_keras.layers.placeholders import LearnedPlaceholder
from mbm_keras.layers.placeholders import MeanPlaceholder
from mbm_keras.layers.pool_tokens import PoolTokens
from mbm_keras.layers.presence import ZeroAbsent
from mbm_keras.layers.presence import ones_for_absent
from mbm_keras.layers.presence import present_mean
from mbm_keras.layers.presence import present_softmax
from mbm_keras.layers.presence import replace_absent
from mbm_keras.layers.presence import zero_absent
from mbm_keras.layers.relative_attention import RelativeAttention
from mbm_keras.layers.rotary import rotary_angles
from mbm_keras.layers.rotary import rotate
from mbm_keras.layers.samples_log_mel import LogMelOfSamples
from mbm_keras.layers.sentence_decoder import SentenceDecoder
from mbm_keras.layers.sinusoids import Sinusoids
from mbm_keras.layers.spectrogram_statistics import SpectrogramStatistics
from mbm_keras.layers.spectrogram_statistics import heard_steps
from mbm_keras.layers.spectrogram_statistics import mean_and_spread
from mbm_keras.layers.step_windows import FromWindows
from mbm_keras.layers.step_windows import ToWindows
from mbm_keras.layers.table_columns import split_table
from mbm_keras.layers.transformer_decoder import AfterStart
from mbm_keras.layers.transformer_decoder import CachedDecoder
from mbm_keras.layers.transformer_decoder import TransformerDecoder
from mbm_keras.layers.unit_embeddings import UnitEmbeddings
from mbm_keras.layers.unit_embeddings import to_unit_length
from mbm_keras.layers.window_attention import PadGrid
from mbm_keras.layers.window_attention import WindowAttention
from mbm_keras.layers.word_convolutions import WordConvolutions
from mbm_keras.layers.word_vectors import WordMask
from mbm_keras.layers.word_vectors import WordVectors

__all__ = [
    "AddFirstRow",
    "AddGridPositions",
    "AddPositions",
    "AfterStart",
    "AttachMask",
    "AttentionBlock",
    "AttentionMean",
    "AttentionPool",
    "BlockNames",
    "BoxCodes",
    "CachedDecoder",
    "CalibratedMean",
    "Cepstra",
    "ClipValues",
    "ConformerBlock",
    "DecoderBlock",
    "DecoderSizes",
    "EncoderBlock",
    "FittedGrams",
    "FittedLinear",
    "FittedTrees",
    "FromWindows",
    "GradientScale",
    "HeadAttention",
    "ImageStatistics",
    "InChunks",
    "LayoutBias",
    "LayoutBlock",
    "LearnedPlaceholder",
    "LearnedTokens",
    "LogMelOfSamples",
    "LowRankDense",
    "MaskedBatchNormalization",
    "MaskedMean",
    "MeanOfCrops",
    "MeanPlaceholder",
    "ModalityDropout",
    "MoveBoxes",
    "NamedActivation",
    "NormalizeFrames",
    "NumberEmbedding",
    "PadGrid",
    "PadSteps",
    "PairLogits",
    "PartlyFrozen",
    "PixelValues",
    "PoolTokens",
    "PrependTokens",
    "RelativeAttention",
    "SampleGrid",
    "ScaleChannels",
    "SentenceDecoder",
    "Sinusoids",
    "SpectrogramStatistics",
    "TakeCrops",
    "ToWindows",
    "TransformerDecoder",
    "UnitEmbeddings",
    "ValidMask",
    "WindowAttention",
    "WithSlopes",
    "WordConvolutions",
    "WordMask",
    "WordVectors",
    "ZeroAbsent",
    "crop_length",
    "crops_present",
    "distance_bucket",
    "embed_patches",
    "grid_of",
    "halve_mask",
    "heard_steps",
    "masked_mean",
    "mean_and_spread",
    "mean_of_crops",
    "nonzero_rows",
    "nonzero_steps",
    "normal_edges",
    "ones_for_absent",
    "pair",
    "pixel_values",
    "present_mean",
    "present_softmax",
    "repeat_for",
    "replace_absent",
    "rotary_angles",
    "rotate",
    "split_crops",
    "split_table",
    "to_unit_length",
    "zero_absent",
    "zero_padding",
]
