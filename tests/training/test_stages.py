"""fit_stages: what is frozen, what is alone, and going on after a stop."""

import functools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.fusion import ConcatenationFusion
from mbm_keras.inputs import InputSpec
from mbm_keras.models import show_attend_tell
from mbm_keras.tasks import Captioning
from mbm_keras.tasks import Classification
from mbm_keras.towers import image_application
from mbm_keras.training import Checkpoint
from mbm_keras.training import Stage
from mbm_keras.training import fit_stages
from mbm_keras.training import standard_stages
from mbm_keras.training.frozen_outputs import FrozenTowerOutputs
from mbm_keras.training.frozen_outputs import can_precompute
from mbm_keras.training.frozen_outputs import without_towers

TASK = Classification(2)


def tower(name, width):
    x = keras.Input((width,), name=name)
    y = keras.layers.Dense(4, activation="relu")(x)
    y = keras.layers.BatchNormalization()(y)
    return keras.Model([x], y, name=f"{name}_tower")


def model_and_data(rows=32):
    keras.utils.set_random_seed(0)
    image, table = keras.Input((3,), name="image"), keras.Input((2,), name="table")
    present = keras.Input((2,), dtype="bool", name="present")
    x = [tower("image", 3)(image), tower("table", 2)(table)]
    x = ConcatenationFusion(4, name="hidden")(x, present=present)
    label = TASK.head(x)
    model = keras.Model([image, table, present], {"label": label}, name="toy")
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, rows).astype("int32")
    x = {
        "image": (rng.standard_normal((rows, 3)) + y[:, None]).astype("float32"),
        "table": (rng.standard_normal((rows, 2)) + y[:, None]).astype("float32"),
        "present": rng.random((rows, 2)) < 0.8,
    }
    data = tf.data.Dataset.from_tensor_slices((x, {"label": y})).batch(8)
    return model, data


def run(model, data, stages, **arguments):
    arguments = {"metrics": {"label": TASK.metrics()}, **arguments}
    return fit_stages(
        model,
        stages,
        data,
        data,
        losses={"label": TASK.loss()},
        head=TASK.head,
        verbose=0,
        **arguments,
    )


def weights(model, layer):
    return [w.copy() for w in model.get_layer(layer).get_weights()]


def same(left, right):
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


def test_the_stages_the_field_agreed_on():
    model, data = model_and_data()
    stages = standard_stages(model, unimodal=1, fusion=2, finetune=3)
    assert [s.name for s in stages] == [
        "image unimodal",
        "table unimodal",
        "fusion",
        "finetune",
    ]
    assert stages[2].frozen == ("image_tower", "table_tower")
    histories = run(model, data, stages)
    assert [len(h["val_loss"]) for h in histories.values()] == [1, 1, 2, 3]
    assert not model.jit_compile  # compiling takes longer than such a training


def test_alone_trains_its_tower_and_nothing_else():
    model, data = model_and_data()
    image, table = weights(model, "image_tower"), weights(model, "table_tower")
    hidden = weights(model, "hidden")
    run(model, data, [Stage("image unimodal", 2, 0.01, unimodal="image")])
    assert not same(image, weights(model, "image_tower"))
    assert same(table, weights(model, "table_tower"))
    assert same(hidden, weights(model, "hidden"))


def test_a_stage_asks_for_the_inputs_it_looks_at():
    model, data = model_and_data()
    asked = []

    def only(inputs, epoch):
        asked.append(inputs)
        wanted = {"present", *(inputs or ("image", "table"))}
        return data.map(lambda x, y: ({k: x[k] for k in wanted}, y))

    run(
        model,
        only,
        [Stage("image unimodal", 1, unimodal="image"), Stage("finetune", 1)],
    )
    assert set(asked[: len(asked) // 2]) == {("image",)}
    assert set(asked[len(asked) // 2 :]) == {None}


def test_the_first_epoch_counts_nothing_of_an_earlier_stage():
    model, data = model_and_data()
    metrics = {"label": TASK.metrics()}
    # A rate of zero: every epoch of either stage has the same outputs but for dropout,
    # which the toy has none of.
    stages = [
        Stage("image unimodal", 3, 0.0, unimodal="image"),
        Stage("finetune", 3, 0.0),
    ]
    histories = run(model, data, stages, metrics=metrics)
    for history in histories.values():
        assert len(set(history["accuracy"])) == 1, history["accuracy"]


def test_a_frozen_tower_keeps_weights_and_moving_statistics_and_then_does_not():
    model, data = model_and_data()
    before = weights(model, "image_tower")
    run(model, data, [Stage("fusion", 2, 0.01, frozen=("image_tower",))])
    assert same(before, weights(model, "image_tower"))
    run(model, data, [Stage("finetune", 1, 0.01)])
    assert not same(before, weights(model, "image_tower"))


def test_what_is_frozen_survives_saving(tmp_path):
    model, data = model_and_data()
    run(model, data, [Stage("fusion", 1, 0.01, frozen=("image_tower",))])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert not again.get_layer("image_tower").trainable_weights
    assert len(again.trainable_weights) == len(model.trainable_weights) > 0


def test_rows_without_an_input_do_not_count_for_its_tower_alone():
    model, data = model_and_data()
    start = model.get_weights()
    stages = [Stage("table unimodal", 2, 0.01, unimodal="table")]

    def spoil(x, y):
        wrong = tf.where(x["present"][:, 1], y["label"], 1 - y["label"])
        return x, {"label": wrong}

    run(model, data, stages)
    right = weights(model, "table_tower")
    model.set_weights(start)
    keras.utils.set_random_seed(0)
    model2, _ = model_and_data()
    run(model2, data.map(spoil), stages)
    for a, b in zip(right, weights(model2, "table_tower"), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


class Stop(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


def test_goes_on_at_its_stage_and_epoch(tmp_path):
    stages = [
        Stage("table unimodal", 2, 0.01, unimodal="table"),
        Stage("finetune", 5, 0.01, patience=4),
    ]
    unbroken, data = model_and_data()
    histories = run(unbroken, data, stages)

    model, data = model_and_data()
    with pytest.raises(KeyboardInterrupt):
        run(model, data, stages, folder=tmp_path, callbacks=[Stop(3)])
    state = json.loads((tmp_path / "1-finetune" / "state.json").read_text())
    assert state["epoch"] == 3 and not state["done"]

    again, data = model_and_data()
    trained = []
    again_histories = run(
        again, data, stages, folder=tmp_path, announce=lambda s: trained.append(s.name)
    )
    assert trained == ["finetune"]
    for name, history in histories.items():
        np.testing.assert_allclose(
            again_histories[name]["val_loss"], history["val_loss"], rtol=1e-4
        )
    for a, b in zip(again.get_weights(), unbroken.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


WORDS = Captioning(vocabulary_size=8, sequence_length=3)


def captioner(rows=24):
    """A captioning model on regions of a network of `keras.applications`, and data."""
    keras.utils.set_random_seed(0)
    tower = functools.partial(
        image_application.build,
        application=keras.applications.VGG19,
        layer="block2_conv1",
        project=False,
        frozen=True,
    )
    model = show_attend_tell.build(
        inputs=[InputSpec("image", "image", dict(size=32))],
        task=WORDS,
        towers={"image": tower},
        width=128,
        word_width=6,
        units=16,
        dropout=0.0,
        attention=show_attend_tell.Attention(penalty=0.0),
    )
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (rows, 32, 32, 3)).astype("uint8")
    # Captions of two lengths, in batches of their own: a word, twice, perhaps, the end.
    word = 3 + np.arange(rows) % 5
    image[np.arange(rows), :, : 4 * 5, 0] = (50 * (word - 3))[:, None, None]
    short = np.stack([word, np.full(rows, 2)], axis=1).astype("int32")
    long = np.stack([word, word, np.full(rows, 2)], axis=1).astype("int32")
    parts = [(image[:16], short[:16]), (image[16:], long[16:])]

    def batches(image, words):
        batch = WORDS.feed({"image": image}, {"words": words})
        return tf.data.Dataset.from_tensor_slices(batch).batch(8)

    return model, *(batches(*part) for part in parts)


def test_regions_of_a_frozen_network_are_computed_once(monkeypatch):
    model, short, long = captioner()
    data = short.concatenate(long)
    tower = model.get_layer("image_tower")
    before = [w.copy() for w in tower.get_weights()]
    assert tower.output.shape == (None, 16 * 16, 128)
    seen = []
    run = tower.predict_on_batch
    monkeypatch.setattr(
        tower, "predict_on_batch", lambda x: seen.append(len(x)) or run(x)
    )
    history = fit_stages(
        model,
        [Stage("words", 30, 0.01, frozen=("image_tower",))],
        data,
        losses={"words": WORDS.loss()},
        metrics={"words": WORDS.metrics()},
        verbose=0,
    )["words"]
    assert seen == [8, 8, 8]
    assert history["loss"][-1] < 0.6 * history["loss"][0]
    assert same(before, tower.get_weights())
    # What was trained without the tower writes with it.
    writer = show_attend_tell.captioner(model, WORDS)
    (x, _), *_ = data
    assert writer.predict_on_batch({"image": x["image"]})["words"].shape == (8, 3)


def test_a_stage_takes_captions_of_one_known_length():
    model, _, long = captioner()
    assert long.element_spec[1]["words"].shape == (None, 3)
    history = fit_stages(
        model,
        [Stage("words", 1, frozen=("image_tower",))],
        long,
        losses={"words": WORDS.loss()},
        metrics={"words": WORDS.metrics()},
        verbose=0,
    )
    assert np.isfinite(history["words"]["loss"]).all()


def test_embedded_rows_of_several_lengths_are_padded():
    model, short, long = captioner()
    data = short.concatenate(long)
    batches = FrozenTowerOutputs(model, ("image_tower",), data)
    x, y = batches[2]  # was among the short ones and is with the long ones now
    assert x["image"].shape == (8, 256, 128) and len(batches) == 3
    assert (
        batches.inputs["words_teacher"].shape
        == batches.targets["words"].shape
        == (24, 3)
    )
    assert not batches.inputs["words_teacher"][:16, 2].any()
    pictures = np.concatenate([x["image"] for x, _ in data.as_numpy_iterator()])
    expected = model.get_layer("image_tower").predict(pictures[16:], verbose=0)
    np.testing.assert_allclose(x["image"], expected, rtol=1e-4, atol=1e-4)


def test_embedded_rows_come_in_an_order_of_their_epoch():
    model, data = model_and_data()
    make = functools.partial(
        FrozenTowerOutputs, model, ("image_tower",), data, shuffle=True
    )

    def epoch(batches):
        rows = [batches[i][0]["table"] for i in range(len(batches))]
        batches.on_epoch_end()
        return np.concatenate(rows).tolist()

    one = make()
    first, second = epoch(one), epoch(one)
    assert first != second and sorted(first) == sorted(second)
    assert epoch(make(epoch=1)) == second


def test_a_file_that_no_state_names_counts_for_nothing(tmp_path):
    """As a kill between the weights of an epoch and its state leaves it."""
    stages = [Stage("finetune", 3, 0.01)]
    model, data = model_and_data()
    with pytest.raises(KeyboardInterrupt):
        run(model, data, stages, folder=tmp_path, callbacks=[Stop(1)])
    (tmp_path / "0-finetune" / "epoch-2.weights.h5").write_bytes(b"half of a file")
    again, data = model_and_data()
    histories = run(again, data, stages, folder=tmp_path)
    assert len(histories["finetune"]["loss"]) == 3
    left = {path.name for path in (tmp_path / "0-finetune").iterdir()}
    best = 1 + int(np.argmin(histories["finetune"]["val_loss"]))
    assert left == {"state.json", "epoch-3.weights.h5", f"epoch-{best}.weights.h5"}


def test_a_finished_run_is_not_trained_again(tmp_path):
    model, data = model_and_data()
    run(model, data, [Stage("finetune", 2, 0.01)], folder=tmp_path)
    done = model.get_weights()
    other, data = model_and_data()
    run(
        other, data, [Stage("finetune", 2, 0.01)], folder=tmp_path, announce=pytest.fail
    )
    assert same(done, other.get_weights())


def test_the_best_weights_are_kept_and_patience_ends_a_stage(tmp_path):
    model, data = model_and_data()
    histories = run(
        model, data, [Stage("finetune", 40, 0.3, patience=2)], folder=tmp_path
    )
    losses = histories["finetune"]["val_loss"]
    assert len(losses) < 40
    assert int(np.argmin(losses)) == len(losses) - 3
    figures = model.evaluate(data, verbose=0, return_dict=True)
    assert figures["loss"] == pytest.approx(min(losses), rel=1e-4)


def test_same_seed_same_weights():
    results = []
    for _ in range(2):
        model, data = model_and_data()
        run(model, data, standard_stages(model, unimodal=1, fusion=1, finetune=1))
        results.append(model.get_weights())
    assert same(*results)


@pytest.mark.parametrize(
    "stage, message",
    [
        (Stage("a", 1, frozen=("towr",)), r"no layer named \['towr'\]"),
        (Stage("a", 1, unimodal="sound"), r"no layer named \['sound_tower'\]"),
    ],
)
def test_an_unknown_name_is_an_error_before_any_training(stage, message):
    model, data = model_and_data()
    with pytest.raises(ValueError, match=message):
        run(model, data, [Stage("first", 1, 0.1), stage])


def test_data_of_unknown_length_is_an_error_that_says_what_to_do():
    model, data = model_and_data()
    with pytest.raises(ValueError, match="assert_cardinality.*-2"):
        run(model, data.filter(lambda x, y: True), [Stage("a", 1)])


def test_alone_takes_a_head():
    model, data = model_and_data()
    with pytest.raises(ValueError, match="head=None"):
        fit_stages(
            model, [Stage("a", 1, unimodal="image")], data, losses={}, metrics={}
        )


def test_a_checkpoint_of_nothing_restores_nothing(tmp_path):
    model, _ = model_and_data()
    model.compile("adam", loss="mse")
    before = model.get_weights()
    keeper = Checkpoint(tmp_path)
    keeper.restore(model)
    assert keeper.epoch == 0 and not keeper.done
    assert same(before, model.get_weights())


def test_the_rest_on_embeddings_is_the_model_on_inputs():
    model, data = model_and_data()
    frozen = ("image_tower", "table_tower")
    assert can_precompute(model, frozen) and not can_precompute(model, ("hidden",))
    batches = FrozenTowerOutputs(model, frozen, data)
    assert len(batches) == 4
    rest = without_towers(model, frozen)
    for i, (inputs, targets) in enumerate(data):
        x, y = batches[i]
        left, right = rest(x)["label"], model(inputs)["label"]
        np.testing.assert_allclose(np.asarray(left), np.asarray(right), atol=1e-5)
        np.testing.assert_array_equal(y["label"], targets["label"])
    assert {id(w) for w in rest.weights} < {id(w) for w in model.weights}
