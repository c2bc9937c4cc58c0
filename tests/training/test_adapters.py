"""Low-rank adapters and frozen parts: what learns, before and after saving."""

import keras
import numpy as np
import pytest

from mbm_keras import InputSpec
from mbm_keras.encoders import ENCODERS
from mbm_keras.encoders import bert
from mbm_keras.layers import LowRankDense
from mbm_keras.models import late_fusion
from mbm_keras.tasks import Classification
from mbm_keras.towers import pretrained
from mbm_keras.training import adapt
from mbm_keras.training import freeze
from mbm_keras.training import merge
from tests.helpers import assert_same
from tests.helpers import numpy
from tests.helpers import random_inputs

CONVOLUTIONAL = (
    "efficientnet_lite", "r2plus1d", "speech_embedding", "torchvision_resnet", "yamnet",
)  # fmt: skip
WORDS = {"review": np.array([[3, 4, 5], [6, 7, 0]], "int32")}
LABELS = np.array([0, 2])


def build_encoder(name="bert"):
    keras.utils.set_random_seed(0)
    module = ENCODERS[name]
    return module.build(**module.PRESETS["tiny"].arguments)


def build_model(encoder=None):
    tower = pretrained.builder(encoder or build_encoder())
    return late_fusion.build(
        inputs=[InputSpec("review", "text", {"vocabulary_size": 21})],
        task=Classification(3),
        presence=False,
        towers={"review": tower},
    )


def changed_by_training(model):
    """Paths of the variables that some steps change."""
    before = [numpy(v).copy() for v in model.trainable_variables]
    fixed = [numpy(v).copy() for v in model.non_trainable_variables]
    model.compile(keras.optimizers.Adam(0.01), Classification(3).loss())
    model.fit(WORDS, LABELS, epochs=3, verbose=0)
    after = [numpy(v) for v in model.trainable_variables]
    for old, variable in zip(fixed, model.non_trainable_variables, strict=True):
        if "seed" not in variable.path:
            assert_same(variable, old, 0)
    pairs = zip(before, after, strict=True)
    return [not np.array_equal(old, new) for old, new in pairs]


def adapters_of(model):
    return [x for x in model._flatten_layers() if isinstance(x, LowRankDense)]


@pytest.mark.parametrize("name", [n for n in ENCODERS if n not in CONVOLUTIONAL])
def test_every_encoder_can_be_adapted_and_merged(name):
    encoder = build_encoder(name)
    inputs = random_inputs(encoder)
    expected = numpy(encoder(inputs)["embedding"])
    adapted = adapt(encoder, rank=2, which=("query", "key", "value", "output"))
    assert_same(adapted(inputs)["embedding"], expected)
    names = {v.path.rsplit("/", 1)[-1] for v in adapted.trainable_variables}
    assert names == {"a", "b"}
    rng = np.random.default_rng(0)
    for layer in adapters_of(adapted):
        layer.b.assign(rng.normal(size=layer.b.shape))
    changed = numpy(adapted(inputs)["embedding"])
    assert np.abs(changed - expected).max() > 1e-4
    merged = merge(adapted)
    assert adapters_of(merged) == []
    assert_same(merged(inputs)["embedding"], changed, 1e-4)
    assert [v.path for v in merged.weights] == [v.path for v in encoder.weights]


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_a_network_without_attention_is_refused(name):
    with pytest.raises(ValueError, match=r"which=\['query', 'value'\]"):
        adapt(build_encoder(name))


def test_adapters_the_fusion_and_the_head_learn_and_nothing_else():
    adapted = adapt(build_model(), rank=2)
    assert len(adapters_of(adapted)) == 2
    tower = adapted.get_layer("review_tower")
    learned = [v.path for v in tower.trainable_variables]
    assert len(learned) == 6, learned  # a and b, twice; the dense layer after
    assert all(changed_by_training(adapted))


@pytest.mark.slow
def test_after_loading_the_same_weights_learn(tmp_path):
    adapted = adapt(build_model(), rank=2)
    changed_by_training(adapted)
    adapted.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    assert_same(loaded(WORDS), numpy(adapted(WORDS)), 0)
    learned = [(v.name, v.shape) for v in adapted.trainable_variables]
    assert [(v.name, v.shape) for v in loaded.trainable_variables] == learned
    loaded.trainable = False
    loaded.trainable = True
    assert len(loaded.trainable_variables) == len(learned)
    assert all(changed_by_training(loaded))
    loaded.save(tmp_path / "again.keras")
    again = keras.models.load_model(tmp_path / "again.keras", compile=False)
    assert_same(again(WORDS), numpy(loaded(WORDS)), 0)


def test_a_merged_model_is_a_plain_one(tmp_path):
    adapted = adapt(build_model(), rank=2)
    changed_by_training(adapted)
    merged = merge(adapted)
    assert_same(merged(WORDS), numpy(adapted(WORDS)))
    assert type(merged) is type(build_model())
    assert len(merged.trainable_variables) == len(build_model().trainable_variables)
    merged.save(tmp_path / "merged.keras")
    loaded = keras.models.load_model(tmp_path / "merged.keras", compile=False)
    assert_same(loaded(WORDS), numpy(adapted(WORDS)))


def test_only_the_named_towers_are_adapted():
    inputs = [InputSpec(x, "text", {"vocabulary_size": 21}) for x in ("a", "b")]
    model = late_fusion.build(
        inputs=inputs,
        task=Classification(3),
        presence=False,
        towers=dict.fromkeys("ab", pretrained.builder(build_encoder)),
    )
    adapted = adapt(model, towers=["b_tower"])
    assert adapters_of(adapted.get_layer("a_tower")) == []
    assert len(adapters_of(adapted.get_layer("b_tower"))) == 2
    with pytest.raises(ValueError, match="c_tower"):
        adapt(model, towers=["c_tower"])


def test_other_dense_layers_are_adapted_by_name():
    adapted = adapt(build_encoder(), which=("intermediate.dense",))
    (layer,) = adapters_of(adapted)
    assert layer.name.endswith("intermediate.dense")


def test_what_is_frozen_by_path_stays_so(tmp_path):
    encoder = freeze(build_encoder(), ["embeddings.*", "*attention*"], ["*.key"])
    model = build_model(encoder)
    model.trainable = True
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    loaded.trainable = True
    for one in (model, loaded):
        network = one.get_layer("review_tower").get_layer("bert")
        learned = {layer.name for layer in network.layers if layer.trainable_weights}
        block = "encoder.layer.0."
        mlp = {f"{block}{x}" for x in ("intermediate.dense", "output.dense")}
        norm = f"{block}output.LayerNorm"
        assert learned == {*mlp, norm, f"{block}attention.self.key"}
    assert all(changed_by_training(loaded))


def test_a_pattern_without_a_layer_is_refused():
    with pytest.raises(ValueError, match=r"embeddings\.word.*Received: \['embed'\]"):
        freeze(build_encoder(), ["embed"])


def test_a_dense_layer_keeps_its_activation_and_dtype():
    dense = keras.layers.Dense(3, "tanh", use_bias=False, dtype="mixed_bfloat16")
    x = np.random.default_rng(0).normal(size=(2, 4)).astype("float32")
    y = dense(x)
    layer = LowRankDense.from_dense(dense, 2)
    assert layer(x).dtype == y.dtype
    assert_same(layer(x), numpy(y), 1e-2)
    copy = LowRankDense.from_config(layer.get_config())
    assert copy(x).shape == (2, 3) and copy.activation is layer.activation
    assert_same(layer.to_dense()(x), numpy(y), 1e-2)


@pytest.mark.parametrize("arguments", [dict(rank=0), dict(rank=1, scale=0.0)])
def test_wrong_sizes_are_refused(arguments):
    with pytest.raises(ValueError, match="rank >= 1 and scale > 0"):
        LowRankDense(3, **arguments)


def test_the_number_of_trained_parameters_follows_the_rank():
    tiny = bert.PRESETS["tiny"].arguments
    adapted = adapt(bert.build(**tiny), rank=3)
    width = tiny["width"]
    count = sum(int(np.prod(v.shape)) for v in adapted.trainable_variables)
    assert count == 2 * 2 * 3 * width * tiny["num_blocks"]
