"""Models give what the code of the papers' authors gave, with its weights."""

import functools
import pathlib

import keras
import numpy as np
import pytest

from mbm_keras.inputs import InputSpec
from mbm_keras.layers import AttentionBlock
from mbm_keras.layers import MaskedBatchNormalization
from mbm_keras.models import film
from mbm_keras.models import low_rank_fusion
from mbm_keras.models import mbt
from mbm_keras.models import mcan
from mbm_keras.models import mult
from mbm_keras.models import perceiver_io
from mbm_keras.models import tensor_fusion_network
from mbm_keras.tasks import Classification
from mbm_keras.tasks import Regression
from mbm_keras.towers import sequence_rnn
from mbm_keras.towers import text_rnn
from tests.helpers import numpy

FOLDER = pathlib.Path(__file__).parent / "parity"
NAMED = {"decode", "film", "hidden", "label", "norm", "read"}


class Reference:
    """Weights, inputs and output of a file of `parity`, by the authors' names."""

    def __init__(self, name):
        self.arrays = dict(np.load(FOLDER / f"{name}.npz"))

    def __getitem__(self, name):
        return self.arrays[name]

    def dense(self, name):
        """Kernel and bias of PyTorch's `Linear`."""
        bias = [self[f"{name}.bias"]] if f"{name}.bias" in self.arrays else []
        return [self[f"{name}.weight"].T, *bias]

    def norm(self, name):
        """Scale and offset of PyTorch's `LayerNorm`, or of a batch normalization."""
        names = ("weight", "bias", "running_mean", "running_var")
        return [self.arrays.get(f"{name}.{part}") for part in names]

    def lstm(self, name):
        bias = self[f"{name}.bias_ih_l0"] + self[f"{name}.bias_hh_l0"]
        return [
            self[f"{name}.weight_ih_l0"].T,
            self[f"{name}.weight_hh_l0"].T,
            bias,
        ]

    def gru(self, name):
        """PyTorch has the gates reset, update, new; Keras update, reset, new."""

        def turned(part):
            reset, update, new = np.split(self[f"{name}.{part}_l0"], 3)
            return np.concatenate([update, reset, new])

        biases = [turned("bias_ih"), turned("bias_hh")]
        return [turned("weight_ih").T, turned("weight_hh").T, np.stack(biases)]

    def convolution(self, name, coordinates=False):
        """Kernel and bias of PyTorch's `Conv2d`."""
        kernel = self[f"{name}.weight"].transpose(2, 3, 1, 0)
        if coordinates:  # the authors have the column before the row
            kernel = np.concatenate([kernel[:, :, :-2], kernel[:, :, :-3:-1]], axis=2)
        return [kernel, self[f"{name}.bias"]]


def fill(layer, weights):
    layer.set_weights([w for w in weights if w is not None])


def of_kind(model, kind):
    """The layers of a class, without named ones, in the order they were made in."""
    found = [x for x in model.layers if type(x) is kind and x.name not in NAMED]
    return sorted(found, key=lambda layer: (len(layer.name), layer.name))


def check(model, inputs, reference, activation=lambda y: y):
    given = {name: reference[name] for name in inputs}
    (output,) = numpy(model(given)).values()
    np.testing.assert_allclose(activation(output), reference["output"], atol=1e-5)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def heads(kernel, num_heads):
    """A kernel (width, width) as (width, num_heads, head width)."""
    return kernel.reshape(len(kernel), num_heads, -1)


def fill_mult_block(block, reference, name):
    for norm, index in ((block.norm_x, 0), (block.norm_y, 1)):
        fill(norm, reference.norm(f"{name}.layer_norms.{index}"))
    kernels = np.split(reference[f"{name}.self_attn.in_proj_weight"], 3)
    biases = np.split(reference[f"{name}.self_attn.in_proj_bias"], 3)
    weights = []
    for kernel, bias in zip(kernels, biases, strict=True):  # query, key, value
        weights += [heads(kernel.T, 2), bias.reshape(2, -1)]
    kernel, bias = reference.dense(f"{name}.self_attn.out_proj")
    fill(block.attention, [*weights, kernel.reshape(2, -1, len(kernel)), bias])
    fill(block.wide, reference.dense(f"{name}.fc1"))
    fill(block.narrow, reference.dense(f"{name}.fc2"))


def test_mult():
    reference, names = Reference("mult"), ("text", "audio", "video")
    model = mult.build(
        inputs=[
            InputSpec(name, "sequence", dict(size=reference[name].shape[-1]))
            for name in names
        ],
        task=Regression(),
        width=4,
        num_heads=2,
        num_cross_modal_blocks=1,
        num_self_blocks=3,
        presence=False,
    )
    blocks = iter(of_kind(model, AttentionBlock))
    norms = iter(of_kind(model, keras.layers.LayerNormalization))
    for name, key in zip(names, "lav", strict=True):
        kernel = reference[f"proj_{key}.weight"][:, :, 0].T
        fill(model.get_layer(f"{name}_tower"), [kernel])
        transformers = [(f"trans_{key}_with_{x}", 1) for x in "lav" if x != key]
        for transformer, depth in [*transformers, (f"trans_{key}_mem", 3)]:
            for i in range(depth):
                fill_mult_block(next(blocks), reference, f"{transformer}.layers.{i}")
            fill(next(norms), reference.norm(f"{transformer}.layer_norm"))
    dense = of_kind(model, keras.layers.Dense)
    for layer, name in zip(dense, ("proj1", "proj2", "out_layer"), strict=True):
        fill(layer, reference.dense(name))
    check(model, names, reference)


def fill_mcan_block(block, reference, name):
    parts = ["mhatt1", "mhatt2"] if block.guided else ["mhatt"]
    for attention, part in zip(block.attentions, parts, strict=True):
        weights = []
        for key in "qkv":
            kernel, bias = reference.dense(f"{name}.{part}.linear_{key}")
            weights += [heads(kernel, 2), bias.reshape(2, -1)]
        kernel, bias = reference.dense(f"{name}.{part}.linear_merge")
        fill(attention, [*weights, kernel.reshape(2, -1, len(kernel)), bias])
    fill(block.wide, reference.dense(f"{name}.ffn.mlp.fc.linear"))
    fill(block.narrow, reference.dense(f"{name}.ffn.mlp.linear"))
    for i, norm in enumerate(block.norms, 1):
        fill(norm, [reference[f"{name}.norm{i}.{part}_2"] for part in "ab"])


def test_mcan():
    reference, names = Reference("mcan"), ("question", "regions")
    words = functools.partial(
        text_rnn.build, rnn=keras.layers.LSTM, bidirectional=False, word_width=7
    )
    model = mcan.build(
        inputs=[
            InputSpec("question", "text", dict(vocabulary_size=11)),
            InputSpec("regions", "sequence", dict(size=6)),
        ],
        task=Classification(4),
        towers={"question": words},
        width=8,
        num_heads=2,
        num_blocks=2,
        units=12,
        pooling_units=5,
        presence=False,
    )
    embedding = reference["embedding.weight"]
    fill(model.get_layer("question_tower"), [embedding, *reference.lstm("lstm")])
    fill(model.get_layer("regions_tower"), reference.dense("img_feat_linear"))
    blocks = iter(of_kind(model, mcan.CoAttention))
    for kind in ("enc", "dec"):
        for i in range(2):
            fill_mcan_block(next(blocks), reference, f"backbone.{kind}_list.{i}")
    dense = iter(of_kind(model, keras.layers.Dense))
    for side in ("lang", "img"):
        for part in ("fc.linear", "linear"):
            fill(next(dense), reference.dense(f"attflat_{side}.mlp.{part}"))
    for layer, side in zip(
        model.get_layer("fusion").values, ("lang", "img"), strict=True
    ):
        fill(layer, reference.dense(f"attflat_{side}.linear_merge"))
    (norm,) = of_kind(model, mcan.UnbiasedNorm)
    fill(norm, [reference["proj_norm.a_2"], reference["proj_norm.b_2"]])
    fill(model.get_layer("label"), reference.dense("proj"))
    check(model, names, reference, sigmoid)


def fill_subnetworks(model, reference):
    """The towers of the tensor fusion network, which low-rank fusion has too."""
    for name in ("audio", "video"):
        layers = model.get_layer(f"{name}_tower").layers
        layers = [layer for layer in layers if layer.weights]
        fill(layers[0], reference.norm(f"{name}_subnet.norm"))
        for i, layer in enumerate(layers[1:], 1):
            fill(layer, reference.dense(f"{name}_subnet.linear_{i}"))
    text = [
        *reference.lstm("text_subnet.rnn"),
        *reference.dense("text_subnet.linear_1"),
    ]
    fill(model.get_layer("text_tower"), text)


SUBNETWORKS = dict(
    inputs=[
        InputSpec("audio", "vector", dict(size=5)),
        InputSpec("video", "vector", dict(size=6)),
        InputSpec("text", "sequence", dict(size=7)),
    ],
    towers={"text": functools.partial(sequence_rnn.build, units=6)},
    presence=False,
)


def test_low_rank_fusion():
    reference = Reference("low_rank_fusion")
    model = low_rank_fusion.build(
        **SUBNETWORKS,
        task=Regression(units=2),
        widths={"audio": 3, "video": 4, "text": 5},
        rank=3,
    )
    fill_subnetworks(model, reference)
    names = [spec.name for spec in SUBNETWORKS["inputs"]]
    factors = [reference[f"{name}_factor"].transpose(1, 0, 2) for name in names]
    factors = [factor.reshape(len(factor), -1) for factor in factors]
    rest = [reference["fusion_weights"][0], reference["fusion_bias"][0]]
    fill(model.get_layer("fusion"), [*factors, *rest])
    check(model, names, reference)


def test_tensor_fusion_network():
    reference = Reference("tensor_fusion_network")
    model = tensor_fusion_network.build(
        **SUBNETWORKS,
        task=Regression(),
        widths={"audio": 3, "video": 2, "text": 4},
        units=5,
    )
    fill_subnetworks(model, reference)
    layers = [model.get_layer("fusion"), model.get_layer("hidden")]
    layers += of_kind(model, keras.layers.Dense)
    for i, layer in enumerate(layers, 1):
        fill(layer, reference.dense(f"post_fusion_layer_{i}"))
    names = [spec.name for spec in SUBNETWORKS["inputs"]]
    check(model, names, reference, lambda y: 6 * sigmoid(y) - 3)  # theirs is bounded


def test_film():
    reference, names = Reference("film"), ("question", "grid")
    words = functools.partial(film.question_tower, word_width=4)
    model = film.build(
        inputs=[
            InputSpec("question", "text", dict(vocabulary_size=9)),
            InputSpec("grid", "grid", dict(rows=4, columns=4, channels=2)),
        ],
        task=Classification(4),
        towers={"question": words},
        width=5,
        channels=3,
        num_blocks=2,
        units=(5, 6),
        presence=False,
    )
    embedding = reference["gen.encoder_embed.weight"]
    recurrent = reference.gru("gen.encoder_rnn")
    fill(model.get_layer("question_tower"), [embedding, *recurrent])
    fill(model.get_layer("film"), reference.dense("gen.decoder_linear"))
    convolutions = iter(of_kind(model, keras.layers.Conv2D))
    norms = iter(of_kind(model, MaskedBatchNormalization))
    fill(next(convolutions), reference.convolution("net.stem.0", coordinates=True))
    fill(next(norms), reference.norm("net.stem.1"))
    for i in range(2):
        weights = reference.convolution(f"net.{i}.input_proj", coordinates=True)
        fill(next(convolutions), weights)
        fill(next(convolutions), reference.convolution(f"net.{i}.conv1"))
        fill(next(norms), reference.norm(f"net.{i}.bn1"))
    last = reference.convolution("net.classifier.0", coordinates=True)
    fill(next(convolutions), last)
    fill(next(norms), reference.norm("net.classifier.1"))
    (dense,) = of_kind(model, keras.layers.Dense)
    fill(dense, reference.dense("net.classifier.5"))
    fill(next(norms), reference.norm("net.classifier.6"))
    fill(model.get_layer("label"), reference.dense("net.classifier.8"))
    check(model, names, reference)


def fill_perceiver_attention(layer, reference, name):
    fill(layer.norm, reference.norm(f"{name}.norm"))
    if layer.norm_context is not None:
        fill(layer.norm_context, reference.norm(f"{name}.norm_context"))
    parts = (layer.query, "to_q"), (layer.key_value, "to_kv"), (layer.out, "to_out")
    for part, key in parts:
        fill(part, reference.dense(f"{name}.fn.{key}"))


def test_perceiver_io():
    reference = Reference("perceiver_io")
    model = perceiver_io.build(
        inputs=[InputSpec("array", "array", dict(size=5))],
        task=Classification(3),
        width=5,
        num_bands=0,
        modality_width=0,
        latents=perceiver_io.Latents(4, 8, num_blocks=2, num_heads=2, head_width=3),
        query_width=6,
        presence=False,
    )
    fill(model.get_layer("latents"), [reference["latents"]])
    fill(model.get_layer("query"), [reference["query"]])
    reads = "cross_attend_blocks.0", "decoder_cross_attn"
    for layer, name in zip(("read", "decode"), reads, strict=True):
        fill_perceiver_attention(model.get_layer(layer), reference, name)
    for i, layer in enumerate(of_kind(model, perceiver_io.Attention)):
        fill_perceiver_attention(layer, reference, f"layers.{i}.0")
    norms = iter(of_kind(model, keras.layers.LayerNormalization))
    dense = iter(of_kind(model, keras.layers.Dense))
    for name in ("cross_attend_blocks.1", "layers.0.1", "layers.1.1"):
        fill(next(norms), reference.norm(f"{name}.norm"))
        for i in (0, 2):
            fill(next(dense), reference.dense(f"{name}.fn.net.{i}"))
    fill(model.get_layer("label"), reference.dense("to_logits"))
    check(model, ["array"], reference)


def fill_flax_block(block, reference, name):
    def pair(part, *names):
        return [reference[f"Transformer/{name}/{part}/{x}"] for x in names]

    fill(block.norm_x, pair("LayerNorm_0", "scale", "bias"))
    fill(block.norm_y, pair("LayerNorm_1", "scale", "bias"))
    weights = []
    for key in ("query", "key", "value", "out"):
        weights += pair(f"MultiHeadDotProductAttention_0/{key}", "kernel", "bias")
    fill(block.attention, weights)
    fill(block.wide, pair("MlpBlock_0/Dense_0", "kernel", "bias"))
    fill(block.narrow, pair("MlpBlock_0/Dense_1", "kernel", "bias"))


def test_mbt():
    reference, endings = Reference("mbt"), {"audio": "_spectrogram", "video": ""}
    audio = dict(frames=12, num_mel_bins=8, patch=4, channels=3)
    model = mbt.build(
        inputs=[
            InputSpec("audio", "audio", audio),
            InputSpec("video", "video", dict(num_frames=4, size=8, patch=4)),
        ],
        task=Classification(3),
        width=8,
        num_heads=2,
        num_unimodal_blocks=1,
        num_fusion_blocks=2,
        num_bottleneck_tokens=2,
        presence=False,
    )
    for name, end in endings.items():
        tower = model.get_layer(f"{name}_tower")
        layers = [layer for layer in tower.layers if layer.weights]
        convolution, positions, block = layers
        kernel = reference[f"embedding{end}/kernel"]
        fill(convolution, [kernel, reference[f"embedding{end}/bias"]])
        code = reference[f"Transformer/posembed_input{end}/pos_embedding"]
        fill(positions, [code[0]])
        fill_flax_block(block, reference, f"encoderblock_0{end}")
    fill(model.get_layer("bottleneck"), [reference["bottleneck"][0]])
    blocks = iter(of_kind(model, AttentionBlock))
    for i in (1, 2):
        for end in endings.values():
            fill_flax_block(next(blocks), reference, f"encoderblock_{i}{end}")
    norm = [reference[f"Transformer/encoder_norm/{x}"] for x in ("scale", "bias")]
    fill(model.get_layer("norm"), norm)
    head = [reference[f"output_projection/{x}"] for x in ("kernel", "bias")]
    fill(model.get_layer("label"), head)
    check(model, endings, reference)


@pytest.mark.parametrize("path", FOLDER.glob("*.npz"), ids=lambda path: path.stem)
def test_the_numbers_of_the_authors_are_small_and_finite(path):
    assert path.stat().st_size < 150_000
    for array in np.load(path).values():
        assert array.dtype.kind in "fiu" and np.isfinite(array).all()
