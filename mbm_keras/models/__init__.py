"""The zoo. One import per model, and the import is the registration.

Every model file has the same public names:

    build(inputs=, task=, ...)   returns a functional `keras.Model`
    check_fit(inputs, task)      raises a `ValueError` for inputs or a task that the
                                 model cannot take
    PRESETS                      `Preset`s by name; the tests build "tiny"

`inputs` is a list of `mbm_keras.inputs.InputSpec`, `task` a `mbm_keras.tasks.Task`.

A model that answers by another graph than it trains by has `for_inference(model, task)`
too, listed in `FOR_INFERENCE`.
"""

from collections.abc import Callable
from collections.abc import Sequence
from types import ModuleType

from keras import Model

from mbm_keras.inputs import InputSpec
from mbm_keras.models import coca
from mbm_keras.models import contextual_lstm
from mbm_keras.models import document_extractor
from mbm_keras.models import dual_encoder
from mbm_keras.models import film
from mbm_keras.models import gated_multimodal_unit
from mbm_keras.models import git
from mbm_keras.models import image_classifier
from mbm_keras.models import intent_and_slots
from mbm_keras.models import language_identifier
from mbm_keras.models import late_fusion
from mbm_keras.models import looking_to_listen
from mbm_keras.models import low_rank_fusion
from mbm_keras.models import mbt
from mbm_keras.models import mcan
from mbm_keras.models import mult
from mbm_keras.models import music_classifier
from mbm_keras.models import mvae
from mbm_keras.models import perceiver_io
from mbm_keras.models import show_attend_tell
from mbm_keras.models import sound_classifier
from mbm_keras.models import speech_recognizer
from mbm_keras.models import tensor_fusion_network
from mbm_keras.models import text_decoder
from mbm_keras.models import video_classifier
from mbm_keras.models import vqa_baseline
from mbm_keras.tasks import Task

ZOO = {name: x for name, x in sorted(vars().items()) if isinstance(x, ModuleType)}

FOR_INFERENCE: dict[str, Callable[..., Model]] = {
    "contextual_lstm": contextual_lstm.for_inference,
    "document_extractor": document_extractor.for_inference,
    "intent_and_slots": intent_and_slots.for_inference,
    "coca": coca.for_inference,
    "git": git.for_inference,
    "looking_to_listen": looking_to_listen.for_inference,
    "show_attend_tell": show_attend_tell.for_inference,
    "text_decoder": text_decoder.for_inference,
}


def for_inference(name: str, model: Model, task: Task) -> Model:
    """The model that answers, with the weights of a trained model.

    Most models answer as they are. A model that trains on the words of the target
    writes them itself when it answers; a model that trains on spectrograms returns
    sounds.

    Args:
        name: Name of the architecture, a key of `ZOO`.
        model: What its `build` returned.
        task: The task it was built for.

    Returns:
        A functional `keras.Model` with an output `task.name`, for
        `mbm_keras.evaluation.predict` and `mbm_keras.export.save`.

    Raises:
        ValueError: If there is no such architecture.
    """
    if name not in ZOO:
        raise ValueError(f"Expected one of {sorted(ZOO)}. Received: name={name!r}.")
    return FOR_INFERENCE[name](model, task) if name in FOR_INFERENCE else model


def models_for(inputs: Sequence[InputSpec], task: Task) -> list[str]:
    """Names of the models that can take these inputs and this task.

    Args:
        inputs: One `InputSpec` per input, such as `Features.inputs()`.
        task: The task.

    Returns:
        Keys of `ZOO`, in their order.
    """
    names = []
    for name, module in ZOO.items():
        try:
            module.check_fit(inputs, task)
        except ValueError:
            continue
        names.append(name)
    return names
