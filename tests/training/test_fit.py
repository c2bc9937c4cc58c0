"""fit_stages: what each stage trains, on which data, with which errors."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.tasks.task import best_epoch
from mbm_keras.training import Stage
from mbm_keras.training import fit_stages
from mbm_keras.training.fit import _schedule
from mbm_keras.training.fit import _zeros
from tests.toys import TASK
from tests.toys import are_same
from tests.toys import toy_data
from tests.toys import toy_model
from tests.toys import weights_of

without_graphs = pytest.mark.usefixtures("eagerly")
STAGES = [
    Stage("table unimodal", 1, 0.01, unimodal="table"),
    Stage("fusion", 2, 0.01, frozen=("image_tower", "table_tower")),
    Stage("finetune", 5, 0.01, patience=4),
]


def fit(model, stages, data=None, **arguments):
    data = toy_data() if data is None else data
    return fit_stages(model, stages, data, data, task=TASK, verbose=0, **arguments)


class Stop(keras.callbacks.Callback):
    """Ends the process, as far as `fit_stages` can see, when an epoch begins."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


class Trained(keras.callbacks.Callback):
    """Collects the names of the models that are trained."""

    def __init__(self):
        super().__init__()
        self.names = []

    def on_train_begin(self, logs=None):
        self.names.append(self.model.name)


@pytest.fixture(scope="module")
def finished():
    """A model after all stages, and their histories."""
    model = toy_model()
    return model, fit(model, STAGES)


def test_histories_have_a_value_per_epoch(finished):
    _, histories = finished
    lengths = {name: len(history["val_loss"]) for name, history in histories.items()}
    assert lengths == {"table unimodal": 1, "fusion": 2, "finetune": 5}


def test_metrics_are_those_of_the_task(finished):
    _, histories = finished
    values = {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert all(set(history) == values for history in histories.values())


class ByAccuracy(type(TASK)):
    monitor = "accuracy"


def test_a_task_says_which_metric_decides(tmp_path):
    data, task = toy_data(), ByAccuracy(**vars(TASK))
    stages = [Stage("one", 4, 0.3)]
    fit_stages(toy_model(), stages, data, data, task=task, folder=tmp_path, verbose=0)
    (path,) = tmp_path.rglob("state.json")
    state = json.loads(path.read_text())
    values = state["history"]["val_accuracy"]
    assert state["best"] == max(values) != max(state["history"]["val_loss"])
    assert state["best_epoch"] == best_epoch(state["history"], "accuracy") + 1
    by_loss = best_epoch({"loss": [1.0, 2.0], "val_loss": [3.0, 2.0]})
    assert by_loss == 1


def test_on_tensorflow_nothing_is_compiled(finished):
    model, _ = finished
    assert not model.jit_compile  # compiling takes longer than such a training


def test_same_seed_same_weights(finished):
    model, _ = finished
    again = toy_model()
    fit(again, STAGES)
    assert are_same(model.get_weights(), again.get_weights())


@without_graphs
def test_a_unimodal_stage_trains_its_tower_and_no_other_layer():
    model = toy_model()
    image, table = weights_of(model, "image_tower"), weights_of(model, "table_tower")
    hidden = weights_of(model, "hidden")
    fit(model, [Stage("image unimodal", 1, 0.01, unimodal="image")])
    assert not are_same(image, weights_of(model, "image_tower"))
    assert are_same(table, weights_of(model, "table_tower"))
    assert are_same(hidden, weights_of(model, "hidden"))


@without_graphs
def test_a_stage_asks_for_the_inputs_it_needs():
    data, asked = toy_data(), []

    def batches(inputs, epoch):
        asked.append(inputs)
        wanted = {"present", *(inputs or ("image", "table"))}
        return data.map(lambda x, y: ({k: x[k] for k in wanted}, y))

    stages = [Stage("image unimodal", 1, unimodal="image"), Stage("finetune", 1)]
    fit(toy_model(), stages, batches)
    assert asked == [("image",), ("image",), None, None]  # training and validation


@without_graphs
def test_every_epoch_counts_its_own_rows():
    # At a learning rate of zero, every epoch of a stage has the same outputs.
    stages = [
        Stage("image unimodal", 3, 0.0, unimodal="image"),
        Stage("finetune", 3, 0.0),
    ]
    for history in fit(toy_model(), stages).values():
        assert len(set(history["accuracy"])) == 1, history["accuracy"]


@without_graphs
def test_a_frozen_tower_keeps_weights_and_moving_statistics():
    model = toy_model()
    before = weights_of(model, "image_tower")
    fit(model, [Stage("fusion", 2, 0.01, frozen=("image_tower",))])
    assert are_same(before, weights_of(model, "image_tower"))


@without_graphs
@pytest.mark.parametrize("more", [(), ("hidden",)], ids=["run once", "in the model"])
def test_frozen_towers_normalize_with_their_moving_statistics(more):
    frozen = ("image_tower", "table_tower", *more)
    # At a rate of zero the same rows have the same loss in training and validation,
    # unless training normalizes with the statistics of its batches.
    stages = [Stage("fusion", 1, 0.0, frozen=frozen)]
    history = fit(toy_model(), stages)["fusion"]
    assert history["loss"] == pytest.approx(history["val_loss"], abs=1e-5)


@without_graphs
def test_a_tower_trains_again_after_a_stage_that_froze_it():
    model = toy_model()
    before = weights_of(model, "image_tower")
    frozen = Stage("fusion", 1, 0.01, frozen=("image_tower",))
    fit(model, [frozen, Stage("finetune", 1, 0.01)])
    assert not are_same(before, weights_of(model, "image_tower"))


@without_graphs
def test_frozen_layers_are_saved_with_the_model(tmp_path):
    model = toy_model()
    fit(model, [Stage("fusion", 1, 0.01, frozen=("image_tower",))])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert not again.get_layer("image_tower").trainable_weights
    assert len(again.trainable_weights) == len(model.trainable_weights) > 0


@without_graphs
def test_rows_without_an_input_do_not_train_its_tower():
    stages = [Stage("table unimodal", 2, 0.01, unimodal="table")]

    def spoil(x, y):
        label = tf.where(x["present"][:, 1], y["label"], 1 - y["label"])
        return x, {"label": label}

    model, spoiled = toy_model(), toy_model()
    fit(model, stages)
    keras.utils.set_random_seed(0)
    spoiled = toy_model()
    fit(spoiled, stages, toy_data().map(spoil))
    tables = weights_of(model, "table_tower"), weights_of(spoiled, "table_tower")
    for a, b in zip(*tables, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@without_graphs
def test_the_loss_of_a_unimodal_stage_is_that_of_the_rows_with_the_input():
    # Every fourth row has the image; the other rows are zeros and of another class.
    x = np.tile(np.array([[1.0] * 3, *[[0.0] * 3] * 3], "float32"), (8, 1))
    present = np.stack([x[:, 0] > 0, x[:, 0] >= 0], axis=1)
    inputs = {"image": x, "table": x, "present": present}
    rows = inputs, {"label": np.tile([1, 0, 0, 0], 8)}
    data = tf.data.Dataset.from_tensor_slices(rows).batch(8)
    stages = [Stage("image unimodal", 1, 0.0, unimodal="image")]

    def still_model():
        """A model that training with a rate of 0 leaves as it is."""
        model = toy_model()
        for layer in model._flatten_layers():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = 1.0
        return model

    some = fit(still_model(), stages, data)["image unimodal"]["val_loss"]
    every = data.unbatch().filter(lambda x, y: x["present"][0]).batch(8)
    every = every.apply(tf.data.experimental.assert_cardinality(1))
    assert some == pytest.approx(
        fit(still_model(), stages, every)["image unimodal"]["val_loss"]
    )


@without_graphs
def test_a_later_stage_may_depend_on_the_histories_before_it():
    seen = []

    def stages(histories):
        yield Stage("image unimodal", 1, unimodal="image")
        seen.append(list(histories))
        yield Stage("finetune", 1)

    histories = fit(toy_model(), stages)
    assert seen == [["image unimodal"]]
    assert list(histories) == ["image unimodal", "finetune"]


@pytest.mark.slow
def test_an_interrupted_run_continues_at_its_stage_and_epoch(tmp_path, finished):
    with pytest.raises(KeyboardInterrupt):
        fit(toy_model(), STAGES, folder=tmp_path, callbacks=[Stop(3)])
    state = json.loads((tmp_path / "2-finetune" / "state.json").read_text())
    assert state["epoch"] == 3 and not state["done"]

    again, seen = toy_model(), Trained()
    histories = fit(again, STAGES, folder=tmp_path, callbacks=[seen])
    assert seen.names == ["toy"]  # and not `table_unimodal`
    model, expected = finished
    for name, history in expected.items():
        np.testing.assert_allclose(
            histories[name]["val_loss"], history["val_loss"], rtol=1e-4
        )
    for a, b in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@without_graphs
def test_a_finished_run_is_not_trained_again(tmp_path):
    stages = [Stage("finetune", 1, 0.01)]
    model, again, seen = toy_model(), toy_model(), Trained()
    fit(model, stages, folder=tmp_path)
    fit(again, stages, folder=tmp_path, callbacks=[seen])
    assert not seen.names
    assert are_same(model.get_weights(), again.get_weights())


@pytest.mark.parametrize(
    "stages, message",
    [
        ([Stage("a", 1, frozen=("towr",))], r"'hidden'.*Received: \['towr'\]"),
        ([Stage("a", 1, unimodal="sound")], r"\['image', 'table'\].*'sound'"),
        ([Stage("a", 1), Stage("a", 1)], "different name.*'a' twice"),
    ],
)
def test_a_wrong_stage_is_an_error_before_any_training(stages, message):
    with pytest.raises(ValueError, match=message):
        fit(toy_model(), [Stage("first", 1), *stages], callbacks=[Stop(0)])


def test_an_output_that_is_not_the_target_is_an_error():
    task = type(TASK)(2, name="answer")
    with pytest.raises(ValueError, match=r"'answer' of the task.*\['label'\]"):
        fit_stages(toy_model(), [Stage("a", 1)], toy_data(), task=task)


def test_data_of_unknown_length_is_an_error_that_says_what_to_do():
    data = toy_data().filter(lambda x, y: True)
    with pytest.raises(ValueError, match="assert_cardinality.*-2"):
        fit(toy_model(), [Stage("a", 1)], data)


@without_graphs
@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_rows_of_weight_zero_do_not_train(stage):
    model = toy_model()
    before = weights_of(model, "hidden"), weights_of(model, "table_tower")
    data = toy_data().map(lambda x, y: (x, y, tf.zeros_like(y[TASK.name])))
    fit_stages(model, [stage], data, task=TASK, verbose=0)
    after = weights_of(model, "hidden"), weights_of(model, "table_tower")
    # Kernel and bias; the batch normalization after it counts all rows.
    assert are_same(after[0], before[0]) and are_same(after[1][:2], before[1][:2])


def test_a_row_of_zeros_has_the_lengths_that_either_tensor_knows():
    targets = {"words": keras.KerasTensor((None, None), "int32")}
    outputs = {"words": keras.KerasTensor((None, 3, 8)), "x": keras.KerasTensor((4, 2))}
    (words,) = _zeros(targets, outputs).values()
    assert words.shape == (1, 3) and words.dtype == "int32" and not words.any()
    shapes = {name: row.shape for name, row in _zeros(outputs, targets).items()}
    assert shapes == {"words": (1, 3, 8), "x": (1, 2)}
    assert _zeros(targets, targets)["words"].shape == (1, 1)


def test_the_rate_rises_for_an_epoch_and_falls_along_half_a_cosine():
    rate = _schedule(Stage("a", 5, 0.01), 10)
    seen = [float(rate(step)) for step in (0, 5, 10, 30, 50, 60)]
    half = 0.01 * (0.02 + 0.98 / 2)
    np.testing.assert_allclose(seen, [0, 0.005, 0.01, half, 0.0002, 0.0002], rtol=1e-4)


def test_the_rate_of_a_stage_of_one_epoch_rises_in_a_quarter_and_falls():
    rate = _schedule(Stage("a", 1, 0.01), 40)
    found = [float(rate(step)) for step in (5, 10, 40)]
    assert found == pytest.approx([0.005, 0.01, 0.0002])
