"""Every preprocessor: its config makes it again, and its sizes describe its arrays."""

import json

import pytest

from mbm_keras.preprocessing import PREPROCESSORS
from mbm_keras.preprocessing import Category
from mbm_keras.preprocessing import Number
from mbm_keras.preprocessing import TableRow
from mbm_keras.towers.encode import DEFAULTS

SPEC = {
    "kind": "wordpiece",
    "pieces": ["[PAD]", "[UNK]", "a"],
    "special": [0, 1],
    "normalizers": [],
    "pre_tokenizers": [{"type": "WhitespaceSplit"}],
    "before": [],
    "after": [],
    "padding": 0,
    "unknown": 1,
}
ARGUMENTS = {
    "CaptionIds": ([3, ["a", "b"]], {}),
    "ClapLogMel": (
        [8_000, 0.3, 8],
        dict(fft=256, hop=80, lowest=10.0, highest=3e3, slaney=False, repeat=False),
    ),
    "Faces": ([2, 3, 8], dict(max_pixels=99)),
    "FilterBanks": ([8_000, 20, 8], dict(mean=-1.0, std=2.0)),
    "Frames": ([3, 16], dict(seconds=0.5, max_pixels=99, max_seconds=7.0)),
    "LogMel": ([8_000, 0.3, 8], dict(hop=0.02)),
    "NormalizedWaveform": ([8_000, 0.3], dict(normalize=False)),
    "PageWords": (
        [3, {"sequence_length": 3, "vocabulary": ["a"], "characters": ["a"]}],
        {},
    ),
    "Pixels": ([16], dict(max_pixels=99)),
    "Subwords": ([SPEC, 4], dict(longest=7)),
    "PointFrames": ([6, 5], dict(fields=("x", "y", "z"))),
    "Points": ([40], dict(fields=("x", "y", "z"), stride=5)),
    "PromptIds": ([3, ["a", "b"]], {}),
    "PublishedPixels": (
        [16],
        dict(
            resize_to=20,
            keep_shape=True,
            resample="lanczos",
            mean=(0.1, 0.2, 0.3),
            std=(0.4, 0.5, 0.6),
            scale=0.5,
            max_pixels=99,
        ),
    ),
    "SpeechLogMel": ([0.3], {}),
    "Vector": ([3, [1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], {}),
    "Waveform": ([8_000, 0.3], {}),
    "WhisperLogMel": ([8_000, 0.3, 8], dict(fft=256, hop=80)),
    "WordCharacters": (
        [3, ["a", "b"], ["a"]],
        dict(word_length=4, max_words=9, longest=7, min_count=3),
    ),
    "WordGrams": (
        [2, ["a"], ["a", "a b"], [[2, 1], [1, 1]], 3],
        dict(max_grams=7, room=5),
    ),
    "WordIds": ([4, ["a"]], {}),
    "YamnetLogMel": ([0.3], {}),
}


def make(name):
    if name == "TableRow":
        return TableRow({"age": Number(3.0, 2.0)}, {"city": Category(["Oslo", "Rome"])})
    positional, named = ARGUMENTS[name]
    return PREPROCESSORS[name](*positional, **named)


# An encoder has files: `test_embedding.py`.
CONFIGURED = [name for name in PREPROCESSORS if name != "Embedding"]
every_preprocessor = pytest.mark.parametrize("name", CONFIGURED)


@every_preprocessor
def test_its_config_makes_it_again(name):
    made = make(name)
    config = json.loads(json.dumps(made.config()))
    again = type(made).from_config(config)
    assert json.loads(json.dumps(again.config())) == config
    assert again.array == made.array and again.sizes() == made.sizes()
    for argument in ARGUMENTS.get(name, [[], {}])[1]:
        assert getattr(again, argument) == ARGUMENTS[name][1][argument]


@pytest.mark.parametrize(
    "name", [n for n in CONFIGURED if PREPROCESSORS[n].modality in DEFAULTS]
)
def test_the_tower_of_its_modality_takes_its_arrays(name):
    made = make(name)
    tower = DEFAULTS[made.modality](**made.sizes(), width=4, name="x")
    (tensor,) = tower.inputs
    # The steps of a text are open.
    expected = [None] if made.modality == "text" else made.array.shape.as_list()
    # Pixels may be floats in [0, 1] as well.
    dtype = {"uint8": "float32"}.get(made.array.dtype.name, made.array.dtype.name)
    assert list(tensor.shape[1:]) == expected and tensor.dtype == dtype
