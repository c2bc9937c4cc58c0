"""Shapes and scenes: all texts about an image are true; splits hold rows out."""

import io
import itertools
import json

import numpy as np
import polars as pl
import pytest
import tensorflow_datasets as tfds
from matplotlib.colors import rgb_to_hsv
from PIL import Image

import data_pipelines.datasets.builders
from data_pipelines.datasets import scenes


@pytest.fixture(scope="module")
def examples():
    return list(scenes.examples(rows=600, seed=3))


def pixels(example):
    return np.array(Image.open(io.BytesIO(example["image"]))).astype(int)


def test_the_same_seed_gives_the_same_scenes(examples):
    again = list(itertools.islice(scenes.examples(rows=600, seed=3), 50))
    assert again == examples[:50]
    assert again != list(itertools.islice(scenes.examples(rows=600, seed=4), 50))


def test_splits_hold_out_combinations_and_images(examples):
    shown = {split: set() for split in scenes.SHARES}
    for example in examples:
        pairs = {(t.color, t.shape) for t in example["things"]}
        shown[example["split"]] |= pairs
        assert (example["split"] == "unseen") == bool(pairs & scenes.UNSEEN)
    everything = set(itertools.product(scenes.COLORS, scenes.SHAPES))
    assert shown["train"] == everything - scenes.UNSEEN
    assert shown["unseen"] >= scenes.UNSEEN
    assert len({e["image"] for e in examples}) == len(examples)


def test_the_box_contains_the_object(examples):
    for example in examples[:100]:
        picture = pixels(example)
        assert len({t.shape for t in example["things"]}) == len(example["things"])
        front = example["things"][-1]  # nothing lies on it
        hue, *spans = scenes.COLORS[front.color]
        hues, *parts = np.moveaxis(rgb_to_hsv(picture / 255), -1, 0)
        # Noise of the background is gray, with values below any color's.
        of_it = (hues * 360 - hue[0] + 2) % 360 <= hue[1] - hue[0] + 4
        for part, (low, high) in zip(parts, spans, strict=True):
            of_it &= (part >= low - 0.02) & (part <= high + 0.02)
        y, x = np.nonzero(of_it)
        top, left, bottom, right = (64 * v for v in front.box)
        inside = (y > top - 2) & (y < bottom + 1) & (x > left - 2) & (x < right + 1)
        alike = [t.color for t in example["things"]].count(front.color)
        if alike == 1:
            assert len(y) > 15 and inside.all(), front
        else:
            assert inside.sum() > 15, front


def relation_holds(one, where, other):
    (y, x), (v, u) = one.center, other.center
    return {
        "left of": x < u,
        "right of": x > u,
        "above": y < v,
        "below": y > v,
    }[where]


def test_captions_name_every_object(examples):
    for example, caption in ((e, c) for e in examples for c in e["captions"]):
        words = caption.split()
        by_shape = {t.shape: t for t in example["things"]}
        named = [word for word in words if word in scenes.SHAPES]
        assert sorted(named) == sorted(by_shape)  # every object, once
        for shape in named:
            i = words.index(shape)
            assert words[i - 1] == by_shape[shape].color
            if words[i - 2] in scenes.SIZES:
                assert words[i - 2] == by_shape[shape].size
        for where in ("left of", "right of", "above", "below"):
            if f" {where} " in caption:
                one, other = (by_shape[shape] for shape in named[:2])
                assert relation_holds(one, where, other), caption


def test_questions_have_the_right_answers(examples):
    kinds = set()
    for example in examples:
        words, things = example["question"].split(), example["things"]
        by_shape = {t.shape: t for t in things}
        kinds.add(" ".join(words[:2]))
        if words[0] == "what":
            right = by_shape[words[-1]].color
        elif words[0] == "how":
            right = str(len(things))
        elif words[0] == "is":
            right = "yes" if words[-1] in by_shape else "no"
        else:
            (right,) = (t.shape for t in things if t.shape != words[-1])
            where = " ".join(words[3:-2])
            assert relation_holds(by_shape[right], where, by_shape[words[-1]])
        assert example["answer"] == right
    assert kinds == {"what color", "how many", "is there", "which shape"}


def test_statements_have_the_right_truth(examples):
    truths = []
    for example in examples:
        words = example["statement"].split()
        by_shape = {t.shape: t for t in example["things"]}
        thing = by_shape[words[1]]
        if words[-1] in scenes.COLORS:
            right = words[-1] == thing.color
        else:
            where = " ".join(words[3:-2])
            right = relation_holds(thing, where, by_shape[words[-1]])
        assert (example["truth"] == "true") == right, example
        truths.append(right)
    assert 0.4 < np.mean(truths) < 0.6


def test_writes_a_table_and_loads_as_a_source(tmp_path):
    path = scenes.write(tmp_path, rows=20, image_size=32)
    frame = pl.read_csv(path)
    assert frame.height == 20 and set(frame["split"]) == set(scenes.SHARES)
    assert Image.open(tmp_path / frame["image"][0]).size == (32, 32)
    things = json.loads(frame["things"][0])
    assert set(things[0]) == {"shape", "color", "size", "box"}
    loaded = scenes.load(rows=20, image_size=32)
    inputs, targets = next(iter(loaded["train"]))
    assert set(inputs) == {"image", "question", "statement"}
    assert targets["caption"].numpy().decode() == frame["caption"][0]


def test_the_builder_prepares_offline(tmp_path, monkeypatch):
    monkeypatch.setattr(
        scenes, "examples", lambda examples=scenes.examples: examples(rows=40)
    )
    data_pipelines.datasets.builders.register()
    builder = tfds.builder("shapes_and_scenes", data_dir=tmp_path)
    builder.download_and_prepare()
    sizes = {k: v.num_examples for k, v in builder.info.splits.items()}
    assert sizes == {"train": 30, "valid": 2, "test": 4, "unseen": 4}
    example = next(iter(builder.as_dataset(split="train")))
    assert example["image"].shape == (64, 64, 3)
    assert example["things"]["box"].shape[1] == 4
    assert example["captions"].shape == (5,)
