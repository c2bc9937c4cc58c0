"""GPT-2's published weights, for a decoder of this package.

    wte.weight             (words, width)       the embeddings, and the output
    wpe.weight             (positions, width)
    h.0.attn.c_attn.weight (width, 3 width)     queries, keys and values in one matrix
    h.0.mlp.c_fc.weight    (width, 4 width)

Its dense layers are kept as (in, out), as Keras has them and PyTorch does not.
"""

from collections.abc import Mapping
from typing import Any

from mbm_keras.layers import DecoderSizes
from mbm_keras.layers import TransformerDecoder
from mbm_keras.weights.assign import Part
from mbm_keras.weights.assign import Tensors
from mbm_keras.weights.assign import fill_parts

PREFIX = "transformer."  # of files with the head


def sizes_from(config: Mapping[str, Any]) -> tuple[int, int, DecoderSizes]:
    """Sizes of the decoder from the configuration of a checkpoint.

    Args:
        config: Entries of its `config.json`; one that is absent has the value that
            `transformers` gives it.

    Returns:
        The number of words, the width, and the sizes of the blocks.

    Raises:
        ValueError: If it is for another kind of model, or scales attention in another
            way.
    """
    width = config.get("n_embd", 768)
    hidden = config.get("n_inner") or 4 * width
    plain = config.get("scale_attn_weights", True)
    other = config.get("scale_attn_by_inverse_layer_idx", False)
    kind = config.get("model_type")
    if kind != "gpt2" or hidden % width or not plain or other:
        raise ValueError(
            "Expected model_type='gpt2', a hidden layer of whole widths and attention "
            f"scaled by the width of a head. Received: model_type={kind!r}, "
            f"n_inner={hidden}, n_embd={width}, scale_attn_weights={plain}, "
            f"scale_attn_by_inverse_layer_idx={other}."
        )
    sizes = DecoderSizes(
        num_blocks=config.get("n_layer", 12),
        num_heads=config.get("n_head", 12),
        expansion=hidden // width,
        num_positions=config.get("n_positions", 1_024),
        tied=config.get("tie_word_embeddings", True),
        activation=config.get("activation_function", "gelu_new"),
        epsilon=config.get("layer_norm_epsilon", 1e-5),
    )
    return config.get("vocab_size", 50_257), width, sizes


def fill_decoder(decoder: TransformerDecoder, tensors: Tensors) -> None:
    """Fills a decoder that is built.

    Args:
        decoder: The decoder, with the sizes of `sizes_from`.
        tensors: The checkpoint.

    Raises:
        ValueError: If a tensor is missing, or has another shape.
    """
    parts = [
        Part(decoder.table, "wte.weight"),
        Part(decoder.positions, "wpe.weight"),
        *_norm(decoder.norm, "ln_f"),
    ]
    if not decoder.sizes.tied:
        parts.append(Part(decoder.output_table, "lm_head.weight"))
    for i, block in enumerate(decoder.blocks):
        parts += _dense(block.read, f"h.{i}.attn.c_attn")
        parts += _dense(block.write, f"h.{i}.attn.c_proj")
        parts += _dense(block.expand, f"h.{i}.mlp.c_fc")
        parts += _dense(block.contract, f"h.{i}.mlp.c_proj")
        parts += _norm(block.norm_x, f"h.{i}.ln_1")
        parts += _norm(block.norm_y, f"h.{i}.ln_2")
    fill_parts(parts, tensors)


def _dense(layer, name):
    return [Part(layer.kernel, f"{name}.weight"), Part(layer.bias, f"{name}.bias")]


def _norm(layer, name):
    return [Part(layer.gamma, f"{name}.weight"), Part(layer.beta, f"{name}.bias")]
