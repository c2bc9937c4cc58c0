"""Sound encoder: wav2vec 2.0 and HuBERT, base and large, from samples.

Source: Baevski et al. 2020, "wav2vec 2.0: A Framework for Self-Supervised Learning of
Speech Representations", https://arxiv.org/abs/2006.11477, section 2; Hsu et al. 2021,
"HuBERT", https://arxiv.org/abs/2106.07447, section 3. Deviation: no dropout of the
attention weights, no masking of features and no adapter.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers
from keras import ops

from mbm_keras.layers import BlockNames
from mbm_keras.layers import EncoderBlock
from mbm_keras.layers import NamedActivation
from mbm_keras.layers import PoolTokens
from mbm_keras.layers import zero_padding
from mbm_keras.preset import Preset

_CONV_EPSILON = 1e-5  # of the normalizations after convolutions, as published
_BASE = dict(width=768, num_heads=12, num_blocks=12, hidden_width=3_072)
_LARGE = dict(
    width=1_024,
    num_heads=16,
    num_blocks=24,
    hidden_width=4_096,
    normalize_each_filter=True,
    conv_bias=True,
    norm_first=True,
)
NAMES = BlockNames(
    query="attention.q_proj",
    key="attention.k_proj",
    value="attention.v_proj",
    output="attention.out_proj",
    attention_norm="layer_norm",
    expand="feed_forward.intermediate_dense",
    contract="feed_forward.output_dense",
    mlp_norm="final_layer_norm",
)
PRESETS = {
    "tiny": Preset(
        dict(
            width=8,
            num_heads=2,
            num_blocks=1,
            hidden_width=16,
            filters=(4, 4),
            kernels=(3, 2),
            strides=(1, 1),
            position_kernel=3,
            position_groups=2,
        )
    ),
    # 94,371,712 and 315,438,720 are published: the embedding of masked steps is not
    # built, and the kernel of positions has no length of its own per step.
    "wav2vec2_base": Preset(
        _BASE,
        parameters=94_370_816,
        source="https://huggingface.co/facebook/wav2vec2-base",
    ),
    "wav2vec2_large": Preset(
        _LARGE,
        parameters=315_437_568,
        source="https://huggingface.co/facebook/wav2vec2-large-lv60",
    ),
}


def build(
    *,
    width: int,
    num_heads: int,
    num_blocks: int,
    hidden_width: int,
    filters: Sequence[int] = (512,) * 7,
    kernels: Sequence[int] = (10, 3, 3, 3, 3, 2, 2),
    strides: Sequence[int] = (5, 2, 2, 2, 2, 2, 2),
    normalize_each_filter: bool = False,
    conv_bias: bool = False,
    norm_first: bool = False,
    position_kernel: int = 128,
    position_groups: int = 16,
    project_norm: bool = True,
    ignore_padding: bool = False,
    conv_activation: str = "gelu",
    activation: str = "gelu",
    epsilon: float = 1e-5,
    dropout: float = 0.0,
    name: str = "wav2vec2",
) -> keras.Model:
    """Builds the encoder. Its layers have the names of a checkpoint's tensors.

    Args:
        width: int > 0, width of a step, a multiple of `num_heads`.
        num_heads: int > 0, attention heads of each block.
        num_blocks: int > 0, number of blocks.
        hidden_width: int > 0, width of the hidden layer of each MLP.
        filters: ints > 0, channels of each convolution over samples.
        kernels: ints > 0, their sizes, as many.
        strides: ints > 0, their strides, as many.
        normalize_each_filter: bool. True for a normalization over channels after every
            convolution, as in the large networks; False for one over time after the
            first.
        conv_bias: bool, whether the convolutions have a bias.
        norm_first: bool. True for blocks that normalize first, and a normalization
            after the last, as in the large networks.
        position_kernel: int > 0, size of the convolution that gives positions.
        position_groups: int > 0, its groups.
        project_norm: bool, whether the features are normalized before their projection.
        ignore_padding: bool. True to compute the normalization over time from valid
            samples alone, so that padding has no effect. False as published: then
            it has, unless `normalize_each_filter` is True.
        conv_activation: str, activation of the convolutions, see `NamedActivation`.
        activation: str, activation of the MLPs.
        epsilon: float > 0, added to the variance by the normalizations.
        dropout: float in [0, 1), dropout rate after each half of a block.
        name: str, name of the model.

    Returns:
        A functional `keras.Model`.
        Input `samples`: `(batch, samples)` float32, at 16,000 hertz in the published
        networks, normalized as the checkpoint says; zeros after the end of a sound.
        Input `mask`: `(batch, samples)` bool, False after the end of a sound.
        Output `sequence`: `(batch, steps, width)` float32, padding included. A step of
        the published networks is 20 ms.
        Output `embedding`: `(batch, width)` float32, the mean of the valid steps.
        Output `mask`: `(batch, steps)` bool, False for padding.

    Raises:
        ValueError: If `width` is not a multiple of `num_heads`, an activation is
            unknown, or filters, kernels and strides differ in number.
    """
    if not len(filters) == len(kernels) == len(strides) > 0:
        raise ValueError(
            "Expected as many filters as kernels and strides. Received: "
            f"filters={filters}, kernels={kernels}, strides={strides}."
        )
    sizes = zip(filters, kernels, strides, strict=True)
    samples = keras.Input((None,), name="samples")
    mask = keras.Input((None,), dtype="bool", name="mask")

    # Features: (batch, steps, filters[-1])
    x = layers.Reshape((-1, 1))(samples)
    valid = mask
    for i, (channels, kernel, stride) in enumerate(sizes):
        at = f"feature_extractor.conv_layers.{i}."
        x = layers.Conv1D(
            channels, kernel, stride, use_bias=conv_bias, name=f"{at}conv"
        )(x)
        valid = ValidSteps(kernel, stride)(valid, x)
        if normalize_each_filter:
            x = _normalize(x, _CONV_EPSILON, f"{at}layer_norm")
        elif i == 0:
            norm = NormalizeOverTime(channels, _CONV_EPSILON, name=f"{at}layer_norm")
            x = norm(x, valid if ignore_padding else None)
        x = NamedActivation(conv_activation)(x)
    if project_norm:
        x = _normalize(x, epsilon, "feature_projection.layer_norm")
    x = layers.Dense(width, name="feature_projection.projection")(x)

    # Positions: (batch, steps, width)
    x = zero_padding(x, valid)
    before = position_kernel // 2
    y = layers.ZeroPadding1D((before, position_kernel - 1 - before))(x)
    y = layers.Conv1D(
        width,
        position_kernel,
        groups=position_groups,
        name="encoder.pos_conv_embed.conv",
    )(y)
    x = layers.Add()([x, NamedActivation(conv_activation)(y)])
    if not norm_first:
        x = _normalize(x, epsilon, "encoder.layer_norm")

    # Blocks
    block = EncoderBlock(
        NAMES,
        width=width,
        num_heads=num_heads,
        hidden_width=hidden_width,
        activation=activation,
        epsilon=epsilon,
        norm_first=norm_first,
        dropout=dropout,
    )
    for i in range(num_blocks):
        x = block(x, f"encoder.layers.{i}.", valid)
    if norm_first:
        x = _normalize(x, epsilon, "encoder.layer_norm")
    outputs = {"sequence": x, "embedding": PoolTokens()(x, valid), "mask": valid}
    return keras.Model([samples, mask], outputs, name=name)


def convolutions_of(config: Mapping[str, Any]) -> list[tuple[int, int, int]]:
    """Kernel, stride and padding at each side of its convolutions over samples.

    Args:
        config: As for `from_config`.
    """
    found = from_config(config)
    return [
        (kernel, stride, 0)
        for kernel, stride in zip(found["kernels"], found["strides"], strict=True)
    ]


def from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `build` from the configuration of a checkpoint.

    Args:
        config: Entries of its `config.json`; one that is absent has the value that
            `transformers` gives it.

    Returns:
        Arguments of `build`.

    Raises:
        ValueError: If positions are normalized by batch, or there are adapters.
    """
    other = ("conv_pos_batch_norm", "add_adapter", "adapter_attn_dim")
    found = {name: config[name] for name in other if config.get(name)}
    if found:
        raise ValueError(
            "Expected an encoder without adapters and without batch normalization. "
            f"Received: {found}."
        )
    return dict(
        width=config.get("hidden_size", 768),
        num_heads=config.get("num_attention_heads", 12),
        num_blocks=config.get("num_hidden_layers", 12),
        hidden_width=config.get("intermediate_size", 3_072),
        filters=tuple(config.get("conv_dim", (512,) * 7)),
        kernels=tuple(config.get("conv_kernel", (10, 3, 3, 3, 3, 2, 2))),
        strides=tuple(config.get("conv_stride", (5, 2, 2, 2, 2, 2, 2))),
        normalize_each_filter=config.get("feat_extract_norm", "group") == "layer",
        conv_bias=config.get("conv_bias", False),
        norm_first=config.get("do_stable_layer_norm", False),
        position_kernel=config.get("num_conv_pos_embeddings", 128),
        position_groups=config.get("num_conv_pos_embedding_groups", 16),
        project_norm=config.get("feat_proj_layer_norm", True),
        conv_activation=config.get("feat_extract_activation", "gelu"),
        activation=config.get("hidden_act", "gelu"),
        epsilon=config.get("layer_norm_eps", 1e-5),
        name=config.get("model_type", "wav2vec2"),
    )


def _normalize(x, epsilon, name):
    return layers.LayerNormalization(epsilon=epsilon, name=name)(x)


@keras.saving.register_keras_serializable(package="mbm_keras.encoders.wav2vec2")
class ValidSteps(layers.Layer):
    """Which steps of a convolution lie within the sound, padding at its end left out.

        length' = floor((length - kernel) / stride) + 1

    Source: Baevski et al. 2020, https://arxiv.org/abs/2006.11477, whose code pads
    batches so. Deviation: none.

    Args:
        kernel: int > 0, size of the convolution.
        stride: int > 0, its stride.

    Call arguments:
        mask: `(batch, samples)` bool, False after the end of a sound.
        x: `(batch, steps, channels)`, the output of the convolution.

    Returns:
        `(batch, steps)` bool.
    """

    def __init__(self, kernel: int, stride: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.kernel = kernel
        self.stride = stride

    def call(self, mask, x):
        length = ops.sum(ops.cast(mask, "int32"), axis=1)
        length = (length - self.kernel) // self.stride + 1
        return ops.arange(ops.shape(x)[1]) < length[:, None]

    def compute_output_spec(self, mask, x):
        return keras.KerasTensor(x.shape[:2], "bool")

    def get_config(self):
        return {**super().get_config(), "kernel": self.kernel, "stride": self.stride}


@keras.saving.register_keras_serializable(package="mbm_keras.encoders.wav2vec2")
class NormalizeOverTime(layers.GroupNormalization):
    """Normalization of each channel over time.

        y = gamma (x - mean(x)) / sqrt(var(x) + epsilon) + beta

    Source: Wu and He 2018, "Group Normalization", https://arxiv.org/abs/1803.08494,
    with as many groups as channels. Deviation: none.

    Args:
        groups: int > 0, number of channels.
        epsilon: float > 0, added to the variance.

    Call arguments:
        x: `(batch, steps, groups)`, float.
        valid: `(batch, steps)` bool, False for steps that do not count; None if all
            do.

    Returns:
        `(batch, steps, groups)`, float.
    """

    def __init__(self, groups: int, epsilon: float = 1e-5, **kwargs: Any):
        super().__init__(groups=groups, epsilon=epsilon, **kwargs)

    def call(self, x, valid=None):
        y = ops.cast(x, "float32")
        weights = ops.ones_like(y[:, :, :1])
        if valid is not None:
            weights = ops.cast(valid, "float32")[:, :, None]
        number = ops.maximum(ops.sum(weights, axis=1, keepdims=True), 1.0)
        mean = ops.sum(y * weights, axis=1, keepdims=True) / number
        y = y - mean
        variance = ops.sum(y * y * weights, axis=1, keepdims=True) / number
        y = y * ops.rsqrt(variance + self.epsilon)
        y = y * ops.cast(self.gamma, "float32") + ops.cast(self.beta, "float32")
        return ops.cast(y, self.compute_dtype)

    def compute_output_spec(self, x, valid=None):
        return keras.KerasTensor(x.shape, self.compute_dtype)
