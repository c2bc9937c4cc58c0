"""Plain pipelines: each learns what its modality shows, all together what none can."""

import numpy as np
import pytest

from mbm_keras.baselines import Column
from mbm_keras.baselines import describe
from mbm_keras.baselines import fit_baselines
from mbm_keras.baselines import statistics
from mbm_keras.tasks import Captioning
from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel
from mbm_keras.tasks import Regression

LABEL = Classification(2, name="answer")


def column_of(modality, answers, seed=0):
    """Rows of one modality that tell the answer, half to learn from."""
    rng = np.random.default_rng(seed)
    answers = np.asarray(answers)
    rows = len(answers)
    if modality == "text":
        values = [f"row {i} is {'good' if a else 'bad'}" for i, a in enumerate(answers)]
    elif modality == "image":
        values = rng.integers(0, 200, (rows, 20, 24, 3)).astype("uint8")
        values[answers == 1, :10] //= 4  # the upper half is dark
    elif modality == "audio":
        values = rng.normal(size=(rows, 12, 16))
        values[answers == 1, :, 5] += 3.0
    elif modality == "table":
        values = np.stack(
            [answers + rng.normal(0, 0.1, rows), rng.normal(size=rows)], 1
        )
        values[::7, 1] = np.nan
    else:
        values = rng.normal(size=(rows, 5)) + 2 * answers[:, None]
    half = rows // 2
    learn, test = (describe(modality, part) for part in (values[:half], values[half:]))
    return Column(modality, learn, test)


def accuracy(baseline, answers):
    return np.mean(baseline.output.argmax(axis=1) == answers[len(answers) // 2 :])


@pytest.mark.parametrize("modality", ["text", "image", "audio", "table", "vector"])
def test_each_modality_learns_what_it_shows(modality):
    answers = np.random.default_rng(1).integers(0, 2, 120)
    columns = {"x": column_of(modality, answers)}
    majority, single = fit_baselines(columns, answers[:60], task=LABEL)
    assert accuracy(single, answers) > 0.9
    assert single.inputs == ("x",)
    common = np.bincount(answers[:60]).argmax()
    assert np.all(majority.output.argmax(axis=1) == common)


def test_stacking_adds_what_two_inputs_say():
    rng = np.random.default_rng(2)
    parts = rng.integers(0, 2, (2, 400))
    answers = parts[0] + 2 * parts[1]
    columns = {"a": column_of("text", parts[0]), "b": column_of("vector", parts[1])}
    task = Classification(4, name="answer")
    *_, first, second, both = fit_baselines(columns, answers[:200], task=task)
    assert both.inputs == ("a", "b")
    assert accuracy(first, answers) < 0.7 and accuracy(second, answers) < 0.7
    assert accuracy(both, answers) > 0.95


def test_numbers_are_learned_in_their_unit():
    x = np.random.default_rng(3).normal(size=(200, 3))
    y = 1e4 + 50 * x[:, 0]
    columns = {"x": Column("vector", x[:100], x[100:])}
    mean, ridge = fit_baselines(columns, y[:100], task=Regression("price"))
    assert ridge.output.shape == (100, 1)
    np.testing.assert_allclose(ridge.output[:, 0], y[100:], atol=1)
    np.testing.assert_allclose(mean.output[:, 0], y[:100].mean())


def test_several_labels_are_answered_one_by_one():
    labels = np.random.default_rng(4).integers(0, 2, (120, 2))
    labels = np.concatenate([labels, np.zeros((120, 1), int)], axis=1)
    columns = {
        "a": column_of("text", labels[:, 0]),
        "b": column_of("vector", labels[:, 1]),
    }
    both = fit_baselines(columns, labels[:60], task=MultiLabel(3))[-1]
    assert np.mean((both.output > 0) == labels[60:]) > 0.9
    assert np.all(both.output[:, 2] < 0)  # a label that no row has


def test_a_class_that_was_not_seen_is_not_the_answer():
    columns = {"x": Column("vector", np.ones((4, 2)), np.ones((3, 2)))}
    for baseline in fit_baselines(columns, np.full(4, 1), task=Classification(3)):
        assert np.all(baseline.output.argmax(axis=1) == 1)


def test_sentences_without_spaces_are_read_by_character():
    answers = np.random.default_rng(5).integers(0, 2, 80)
    texts = [
        f"这家店的{'面条' if i % 2 else '汤'}很{'好' if a else '差'}"
        for i, a in enumerate(answers)
    ]
    columns = {"x": Column("text", texts[:40], texts[40:])}
    _, single = fit_baselines(columns, answers[:40], task=LABEL)
    assert accuracy(single, answers) > 0.9


def test_texts_may_all_be_empty():
    columns = {"x": Column("text", [""] * 4, ["a"])}
    _, single = fit_baselines(columns, np.array([0, 1, 0, 1]), task=LABEL)
    assert np.isfinite(single.output).all()


def test_other_tasks_are_refused():
    with pytest.raises(ValueError, match="labels or numbers.*Captioning"):
        fit_baselines({}, [1], task=Captioning(10, 5))


def test_padding_does_not_change_the_statistics_of_a_sound():
    sound = np.random.default_rng(6).normal(size=(2, 9, 16))
    padded = np.pad(sound, [[0, 0], [0, 5], [0, 0]])
    np.testing.assert_allclose(
        statistics.of_spectrograms(padded), statistics.of_spectrograms(sound)
    )


def test_statistics_of_an_image_of_one_color():
    images = np.full((1, 8, 8, 3), 255, "uint8")
    pixels, colors, gradients = np.split(statistics.of_images(images)[0], [192, 256])
    assert np.all(pixels == 1) and np.all(gradients == 0)
    assert colors.sum() == 1 and colors[-1] == 1


@pytest.mark.parametrize("rows", [1, 2, 5, 7])
def test_few_rows_are_enough(rows):
    answers = np.arange(2 * rows) % 2
    inputs = ("text", "image", "table")
    columns = {name: column_of(name, answers) for name in inputs}
    for task in (LABEL, Regression("y")):
        for baseline in fit_baselines(columns, answers[:rows], task=task):
            assert np.isfinite(baseline.output).all()
