"""What a plan does for a model, where it is not what it does for any other."""

import dataclasses

EMBEDDING, STEPS = "embedding", "steps"


@dataclasses.dataclass(frozen=True)
class Traits:
    """How a plan feeds, builds and trains a model.

    Args:
        takes: What it takes of any tower, a published encoder that learns too:
            `EMBEDDING` or `STEPS`. None for a model with towers of its own.
        given: Arguments of its `build` that the plan makes, see `build.build_model`.
        texts: Preprocessor of its texts.
        is_averaged: True where the answers of several models may be averaged.
        is_of_speech: True where it hears a recording to its end, and voices in it.
        moves_pictures: False where a picture that moves would leave its boxes.
        rows_at_once: Rows that it answers at once.
        learning_rate: Peak step size of Adam, and why.
    """

    takes: str | None = None
    given: tuple[str, ...] = ()
    texts: str = "WordIds"
    is_averaged: bool = False
    is_of_speech: bool = False
    moves_pictures: bool = True
    rows_at_once: int = 256
    learning_rate: tuple[float, str] = (4e-3, "default")


_WRITER = Traits(learning_rate=(1e-3, "a transformer that writes"))

TRAITS = {
    "late_fusion": Traits(
        takes=EMBEDDING,
        given=("towers", "fusion", "width", "pool", "balance"),
        texts="WordGrams",
        is_averaged=True,
    ),
    "dual_encoder": Traits(takes=EMBEDDING, given=("towers", "width")),
    "speech_recognizer": Traits(
        takes=STEPS,
        given=("towers",),
        is_of_speech=True,
        learning_rate=(2e-3, "convolutions that are normalized, and LSTMs"),
    ),
    "language_identifier": Traits(
        is_of_speech=True,
        learning_rate=(2e-3, "steps of recordings of several lengths"),
    ),
    "video_classifier": Traits(given=("towers", "fusion", "width")),
    "sound_classifier": Traits(given=("towers", "width")),
    "document_extractor": Traits(
        moves_pictures=False,
        rows_at_once=16,  # attention over pages takes much memory
        learning_rate=(1e-3, "attention in four blocks"),
    ),
    "intent_and_slots": Traits(texts="WordCharacters"),
    "coca": _WRITER,
    "git": _WRITER,
    "text_decoder": _WRITER,
}


def traits_of(model: str) -> Traits:
    """The traits of a model.

    Args:
        model: Its name.
    """
    return TRAITS.get(model, Traits())
