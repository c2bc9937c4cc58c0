"""Keypad arithmetic as a tensorflow-datasets builder; nothing is downloaded."""

import tensorflow_datasets as tfds

from data_pipelines.datasets import keypad


class KeypadArithmetic(tfds.core.GeneratorBasedBuilder):
    """A handwritten digit, a key tone and an instruction; the answer is a digit."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "8,000 examples, seed 0."}

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description=keypad.__doc__,
            features=tfds.features.FeaturesDict(
                {
                    "instruction": tfds.features.Text(),
                    "digit": tfds.features.Image(shape=(32, 32, 1)),
                    "tone": tfds.features.Text(doc="WAV bytes, 8 kHz, 16 bits"),
                    "answer": tfds.features.Text(),
                }
            ),
            supervised_keys=None,
            homepage="https://scikit-learn.org/stable/datasets/toy_dataset.html",
        )

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split) for split in keypad.SHARES}

    def _generate_examples(self, split):
        for example in keypad.examples():
            if example["split"] == split:
                names = ("instruction", "digit", "tone", "answer")
                yield example["tone_id"], {name: example[name] for name in names}
