"""Shapes and scenes as a tensorflow-datasets builder; nothing is downloaded."""

import dataclasses

import tensorflow_datasets as tfds

from data_pipelines.datasets import scenes

_TEXTS = ("caption", "question", "answer", "statement", "truth")


class ShapesAndScenes(tfds.core.GeneratorBasedBuilder):
    """Images of colored shapes: captions, questions, statements, boxes."""

    VERSION = tfds.core.Version("3.0.0")
    RELEASE_NOTES = {
        "1.0.0": "8,000 scenes of 64 x 64, seed 0.",
        "2.0.0": "Nine colors of many shades, larger objects.",
        "3.0.0": "American spelling: `color` in questions and in `things`.",
    }

    def _info(self):
        thing = {
            "shape": tfds.features.ClassLabel(names=scenes.SHAPES),
            "color": tfds.features.ClassLabel(names=list(scenes.COLORS)),
            "size": tfds.features.ClassLabel(names=list(scenes.SIZES)),
            "box": tfds.features.BBoxFeature(),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=scenes.__doc__,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(64, 64, 3)),
                    **{name: tfds.features.Text() for name in _TEXTS},
                    "captions": tfds.features.Sequence(tfds.features.Text()),
                    "things": tfds.features.Sequence(thing),
                }
            ),
            supervised_keys=("image", "caption"),
        )

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split) for split in scenes.SHARES}

    def _generate_examples(self, split):
        for i, example in enumerate(scenes.examples()):
            if example["split"] == split:
                things = [
                    dataclasses.asdict(thing) | {"box": tfds.features.BBox(*thing.box)}
                    for thing in example["things"]
                ]
                texts = {name: example[name] for name in _TEXTS}
                lists = {"captions": example["captions"], "things": things}
                yield i, {"image": example["image"], **lists, **texts}
