"""Which inputs and tasks a model takes, and what it says about others."""

import pytest

from mbm_keras.inputs import InputSpec
from mbm_keras.models import ZOO
from mbm_keras.models import models_for
from mbm_keras.tasks import Captioning
from mbm_keras.tasks import Classification
from mbm_keras.tasks import Transcription
from mbm_keras.towers import vector_mlp

TEXT = InputSpec("text", "text", dict(vocabulary_size=20))
IMAGE = InputSpec("photo", "image", dict(size=32))
SMALL = InputSpec("icon", "image", dict(size=8))
AUDIO = InputSpec("voice", "audio", dict(frames=32, num_mel_bins=16))
VARIABLE = InputSpec("voice", "audio", dict(frames=None, num_mel_bins=16))
TABLE = InputSpec("row", "table", dict(numbers=2))
CLIP = InputSpec("film", "video", dict(num_frames=4, size=16))
SMELL = InputSpec("odor", "smell", dict(size=3))

FIT = {
    "film": [[TEXT, IMAGE], [IMAGE, TABLE, VARIABLE]],
    "gated_multimodal_unit": [[TEXT, IMAGE], [AUDIO, SMALL, TEXT]],
    "image_classifier": [[IMAGE]],
    "language_identifier": [[AUDIO], [VARIABLE]],
    "late_fusion": [[TEXT], [TEXT, IMAGE, AUDIO, TABLE]],
    "low_rank_fusion": [[TEXT], [TEXT, IMAGE, AUDIO, TABLE]],
    "mbt": [[TEXT, IMAGE], [IMAGE, AUDIO]],
    "mcan": [[IMAGE, TEXT], [TEXT, VARIABLE, TABLE]],
    "mult": [[TEXT, IMAGE], [VARIABLE, SMALL]],
    "music_classifier": [[AUDIO]],
    "mvae": [[TEXT], [IMAGE, AUDIO]],
    "perceiver_io": [[TEXT], [TEXT, IMAGE, VARIABLE, TABLE]],
    "sound_classifier": [[AUDIO]],
    "tensor_fusion_network": [[TEXT], [TEXT, IMAGE, TABLE]],
    "vqa_baseline": [[IMAGE, TEXT], [TEXT, TABLE, AUDIO]],
    "video_classifier": [[CLIP], [CLIP, AUDIO]],
}
SEQUENCE = InputSpec("cepstra", "sequence", dict(size=13))
FEW = InputSpec("voice", "audio", dict(frames=None, num_mel_bins=6))
UNFIT = {
    "film": [
        ([IMAGE], "an image, .*one more input. Received: inputs=photo .image."),
        ([TEXT, TABLE], "an image, .*inputs=text .text., row .table., modulated=None"),
    ],
    "gated_multimodal_unit": [
        ([TEXT], "two or more inputs. Received: inputs=text .text."),
        ([TEXT, TABLE], "default tower, one of .'audio', 'image', 'text'.*name='row'"),
    ],
    "image_classifier": [
        ([TEXT], "one image and no other input.*inputs=text .text."),
        ([IMAGE, SMALL], "one image and no other input"),
    ],
    "language_identifier": [
        ([IMAGE], "one sound and no other input, with the sizes frames.*photo"),
        ([AUDIO, TEXT], "one sound and no other input"),
    ],
    "late_fusion": [
        ([], "at least one input"),
        ([TEXT, TEXT], "each with a name.*inputs=.'text', 'text'."),
        ([TEXT, SMELL], "a modality with a default tower.*name='odor', modality='sm"),
    ],
    "low_rank_fusion": [([SMELL], "name='odor'")],
    "mbt": [
        ([IMAGE], "two or more inputs"),
        ([TEXT, SMALL], "input 'icon' .image.*at least that of a patch, 16.*size': 8"),
        ([TEXT, VARIABLE], "input 'voice' .audio. to have the same size"),
    ],
    "mcan": [
        ([TEXT], "two or more inputs, one of them a text.*inputs=text"),
        ([IMAGE, AUDIO], "one of them a text or named by `question`"),
    ],
    "mult": [
        ([TEXT], "two or more inputs that are sequences"),
        ([TEXT, TABLE], "two or more inputs that are sequences.*row .table."),
    ],
    "music_classifier": [
        ([TEXT], "one sound and no other input, with the sizes frames.*text"),
        ([VARIABLE], "input 'voice' to have the same length in every batch, and 3"),
    ],
    "mvae": [
        ([TEXT, TABLE], "a decoder, one of .*name='row', modality='table'"),
        ([VARIABLE], "inputs of one size.*'frames': None"),
    ],
    "perceiver_io": [([SMELL], "name='odor'")],
    "sound_classifier": [
        ([TEXT], "one sound .audio, or wave.*inputs=text"),
        ([VARIABLE], "input 'voice' to have the same length in every batch"),
    ],
    "tensor_fusion_network": [
        ([TEXT, IMAGE, AUDIO, TABLE], "at most 50,000,000 weights.*widths=.32, 32,"),
        ([SMELL], "name='odor'"),
    ],
    "vqa_baseline": [
        ([TEXT], "a question.*something that it is about. Received: .*text"),
        ([IMAGE, AUDIO], "a question, which is a text"),
    ],
    "video_classifier": [
        ([AUDIO], "one clip .video or point_frames., and at most one sound"),
        ([CLIP, TEXT], "at most one sound .audio.. Received: inputs=film .video., tex"),
        ([CLIP, VARIABLE], "input 'voice' to have the same length in every batch"),
    ],
}


def cases(by_model):
    return [
        pytest.param(ZOO[model], case, id=f"{model}-{i}")
        for model, some in by_model.items()
        for i, case in enumerate(some)
    ]


@pytest.mark.parametrize("module, inputs", cases(FIT))
def test_takes(module, inputs):
    module.check_fit(inputs, Classification(3))


@pytest.mark.parametrize("module, case", cases(UNFIT))
def test_rejects_before_it_builds(module, case):
    inputs, message = case
    for function in (module.check_fit, lambda i, t: module.build(inputs=i, task=t)):
        with pytest.raises(ValueError, match=f"^Expected .*{message}"):
            function(inputs, Classification(3))


@pytest.mark.parametrize("module, inputs", cases(FIT))
def test_a_task_with_an_output_per_step_is_rejected(module, inputs):
    with pytest.raises(ValueError, match="one output per row. Received: Captioning"):
        module.check_fit(inputs, Captioning(20, 5))


def test_the_models_for_a_table_are_those_that_fit():
    writers = ["coca", "git", "show_attend_tell", "text_decoder"]
    assert sorted(models_for([IMAGE], Captioning(20, 5))) == writers
    assert models_for([TEXT, TABLE], Captioning(20, 5)) == ["text_decoder"]
    assert models_for([TEXT, TABLE], Classification(3)) == [
        "late_fusion",
        "low_rank_fusion",
        "mcan",
        "perceiver_io",
        "tensor_fusion_network",
        "vqa_baseline",
    ]


def test_a_tower_of_the_caller_makes_another_modality_fit():
    towers = {"odor": vector_mlp.build}
    ZOO["late_fusion"].check_fit([TEXT, SMELL], Classification(3), towers)
    with pytest.raises(ValueError, match="sizes of input 'odor' .smell.: size. Rec"):
        spec = InputSpec("odor", "smell", dict(sise=3))
        ZOO["late_fusion"].check_fit([spec], Classification(3), towers)


def test_film_rejects_an_input_to_modulate_that_it_does_not_have():
    with pytest.raises(ValueError, match="named by `modulated`.*modulated='radar'"):
        ZOO["film"].check_fit([TEXT, IMAGE], Classification(3), modulated="radar")
    with pytest.raises(ValueError, match="same size in every batch.*'voice'"):
        ZOO["film"].check_fit([TEXT, VARIABLE], Classification(3), modulated="voice")


def test_a_speech_recognizer_takes_one_sound_or_sequence():
    module, task = ZOO["speech_recognizer"], Transcription(5)
    for spec in (AUDIO, VARIABLE, SEQUENCE):
        module.check_fit([spec], task)
    assert models_for([VARIABLE], task) == ["speech_recognizer"]
    for inputs, message in (
        ([TEXT], "one sound and no other input.*inputs=text"),
        ([AUDIO, TEXT], "one sound and no other input"),
        ([FEW], "7 bands or more.*'num_mel_bins': 6"),
    ):
        with pytest.raises(ValueError, match=message):
            module.check_fit(inputs, task)
    with pytest.raises(ValueError, match="task Transcription. Received: task=Class"):
        module.check_fit([AUDIO], Classification(3))
    with pytest.raises(ValueError, match="encoder in .*encoder='gru'"):
        module.build(inputs=[AUDIO], task=task, encoder="gru")
