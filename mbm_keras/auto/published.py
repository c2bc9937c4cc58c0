"""Published encoders in a plan: which folder encodes a column."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from mbm_keras.auto import sizes
from mbm_keras.auto.plan import InputPlan

READER, TOWER = "Published", "pretrained"  # of an encoder that is tuned
_ENCODED = ("text", "image", "audio")
_SUFFIX = "embedding"
_ROOM = 8  # ids before and after a text, and some more


def add_encoders(
    inputs: Mapping[str, InputPlan],
    table: Any,
    folders: Mapping[str, str],
    tune: str = "frozen",
    is_transcribed: bool = False,
) -> dict[str, InputPlan]:
    """Adds published encoders to the inputs of a plan.

    A text keeps its words and grams as an input of its own: few words that decide, such
    as a name, are in no sentence embedding. An image or a sound is encoded instead of
    read by a tower from scratch.

    Args:
        inputs: `InputPlan` by name.
        table: The rows to learn from, a `Table`.
        folders: Folder of an encoder by name of the column.
        tune: What learns of the encoders, see `Plan`. If anything does, they are towers
            of the model, else in front of it.
        is_transcribed: Whether every step of a sound is read, to its end.

    Returns:
        `InputPlan` by name.

    Raises:
        ValueError: If a name is not a column with text, images or sounds, or a folder
            has no such encoder.
    """
    inputs = dict(inputs)
    for column, folder in folders.items():
        modality = table.columns.get(column)
        if modality not in _ENCODED:
            found = {n: m for n, m in table.columns.items() if m in _ENCODED}
            raise ValueError(
                "Expected a column of text, images or sounds for a published encoder: "
                f"{found}. Received: {column!r} ({modality})."
            )
        path = str(pathlib.Path(folder).expanduser().absolute())
        arguments = {"folder": path, "modality": modality}
        name = column
        if modality == "text":
            name, number = f"{column}_{_SUFFIX}", 1
            while name in inputs or name in table.frame.columns:
                number += 1
                name = f"{column}_{_SUFFIX}_{number}"
            arguments |= {"column": column, **_longest(table, column)}
        if is_transcribed and modality == "audio":
            convolutions_of(path)
            files = sizes.open_some_files(table, column)
            arguments["seconds"] = sizes.speech_size(files)[1]
        check_folder(**arguments)
        if tune != "frozen":
            learns = "low-rank adapters learn" if tune == "adapters" else "all learns"
            inputs[name] = InputPlan(
                modality,
                {column: modality},
                READER,
                arguments,
                tower=TOWER,
                tower_sizes={"folder": path},
                reason=f"`{pathlib.Path(path).name}`, of which {learns}",
            )
            continue
        inputs[name] = InputPlan(
            "vector",
            {column: modality},
            "Embedding",
            arguments,
            tower="vector_mlp",
            tower_sizes={"num_layers": 1},
            reason=f"encoded once by `{pathlib.Path(path).name}`, which stays as it is",
        )
    return inputs


def check_tune(tune: str | None, folders: Mapping[str, str] | None) -> bool:
    """Whether published encoders learn.

    Raises:
        ValueError: If there are none.
    """
    if tune in (None, "frozen"):
        return False
    if not folders:
        raise ValueError(
            "Expected a published encoder to tune, in `towers` or by --tower. "
            f"Received: tune={tune!r}, towers={folders}."
        )
    return True


def check_steps(tune: str | None) -> None:
    """Raises a `ValueError` for an encoder in front of a model that needs its steps."""
    if tune == "frozen":
        raise ValueError(
            "Expected tune='adapters' or tune='full' for transcripts: a frozen encoder "
            f"gives one embedding of a sound, and no steps. Received: tune={tune!r}."
        )


@dataclasses.dataclass(frozen=True)
class PairOfInputs:
    """A published pair, whose halves read the two inputs of a plan.

    Args:
        folder: Its folder.
        width: Width of its embeddings.
        loss: What it was trained with, and the reason to keep it.
    """

    folder: str
    width: int
    loss: tuple[str, str]


def pair_of(inputs: Mapping[str, InputPlan]) -> PairOfInputs | None:
    """The pair whose halves, and nothing else, are the towers of a plan, or None."""
    from mbm_keras.weights import open_folder
    from mbm_keras.weights.load import arguments_of
    from mbm_keras.weights.load import family_of
    from mbm_keras.weights.pairs import is_pair
    from mbm_keras.weights.pairs import read_pair

    folders = {str(x.tower_sizes.get("folder", "")) for x in inputs.values()}
    if len(inputs) != 2 or len(folders) != 1 or "" in folders:
        return None
    (folder,) = folders
    opened = open_folder(folder)
    if not is_pair(opened.config):
        return None
    pair = read_pair(opened)
    if {x.modality for x in inputs.values()} != set(pair.parts):
        return None
    width = arguments_of(opened, family_of(opened, "text"))["projection_width"]
    return PairOfInputs(folder, width, (pair.loss, "as it was published"))


def _longest(table, column):
    longest, _ = sizes.text_length(table.raw(column))
    return {"longest": 2 * longest + _ROOM} if longest else {}


def check_folder(
    folder: str,
    modality: str,
    column: str = "",
    longest: int | None = None,
    seconds: float | None = None,
) -> None:
    """Checks that a folder has an encoder of a modality, before rows are decoded.

    Raises:
        ValueError: If it does not.
    """
    from mbm_keras.weights import open_folder
    from mbm_keras.weights.load import family_of

    opened = open_folder(folder)
    family_of(opened, part_of(opened, modality))
    _open_reader(folder, modality, column, seconds=seconds)


def digests(plan: Any) -> dict[str, str]:
    """What the folders of a plan's encoders hold, by name of the input.

    A folder that is gone is left out: a finished run needs it no more.
    """
    from mbm_keras.weights.digest import digest

    folders = {
        name: pathlib.Path(planned.sizes["folder"])
        for name, planned in plan.inputs.items()
        if planned.preprocessor in ("Embedding", READER)
    }
    return {name: digest(path) for name, path in folders.items() if path.is_dir()}


def part_of(folder: Any, modality: str) -> str | None:
    """Which encoder of a checkpoint with several reads a modality; None for the only.

    Raises:
        ValueError: If none of them does.
    """
    from mbm_keras.weights.load import FAMILIES

    kind = folder.config["model_type"]
    parts = [part for known, part in FAMILIES if known == kind]
    if len(parts) < 2:
        return None
    if modality not in parts:
        raise ValueError(
            f"Expected an encoder of {modality} in {folder.path}. "
            f"Received: {kind!r} with {', '.join(parts)}."
        )
    return modality


def build_embedding(
    folder: str, modality: str, column: str = "", longest: int | None = None
) -> Any:
    """The preprocessor of a column that a published encoder reads.

    Args:
        folder: Folder of the checkpoint.
        modality: `"text"`, `"image"` or `"audio"`.
        column: The raw column, where the input has another name.
        longest: The most ids of a text; None for the limit of the tokenizer.

    Returns:
        A `mbm_keras.preprocessing.Embedding`.

    Raises:
        ValueError: If the folder lacks a part, or is for something else.
    """
    from mbm_keras.preprocessing import Embedding
    from mbm_keras.towers import pretrained
    from mbm_keras.weights import load
    from mbm_keras.weights import open_folder
    from mbm_keras.weights.depths import embed_depths

    opened = open_folder(folder)
    part = part_of(opened, modality)
    inner = _open_reader(folder, modality, column, longest)
    if modality == "text":
        network = embed_depths(load(opened, part=part))
        encoder = pretrained.build(encoder=network, frozen=True, name="raw")
        return Embedding(inner, encoder, column)
    arguments = dict(inner.sizes()) if inner.array is not None else {}
    encoder = pretrained.build(
        encoder=opened,
        part=part,
        frozen=True,
        size=arguments.get("size"),
        name="raw",
    )
    return Embedding(inner, encoder, column)


def build_reader(
    folder: str,
    modality: str,
    column: str = "",
    longest: int | None = None,
    seconds: float | None = None,
) -> Any:
    """The preprocessor of a column for an encoder that is a tower of the model.

    Errors are those of `build_embedding`.

    Args:
        folder: As for `build_embedding`.
        modality: As for `build_embedding`.
        column: As for `build_embedding`.
        longest: As for `build_embedding`.
        seconds: Length of the longest sound, where every step of it is read; None for
            the window of the encoder.
    """
    reader = _open_reader(folder, modality, column, longest, seconds)
    if modality == "text":
        reader.column = column
    return reader


def build_tower(folder: str, modality: str) -> Any:
    """The builder of the tower of a published encoder, see `towers.pretrained`.

    Args:
        folder: Folder of the checkpoint.
        modality: `"text"`, `"image"` or `"audio"`.
    """
    from mbm_keras.towers import pretrained
    from mbm_keras.weights import open_folder
    from mbm_keras.weights.load import family_of

    opened = open_folder(folder)
    part = part_of(opened, modality)
    known = family_of(opened, part).build.__kwdefaults__ or {}
    # A sound is the same in a batch of longer ones.
    changes = {"ignore_padding": True} if "ignore_padding" in known else None
    return pretrained.builder(opened, part=part, changes=changes)


def convolutions_of(folder: str) -> list[tuple[int, int, int]]:
    """Kernel, stride and padding of what is between a sound and the steps of a tower.

    Args:
        folder: Folder of the checkpoint.

    Raises:
        ValueError: If the encoder does not give steps in time.
    """
    from mbm_keras.encoders import wav2vec2
    from mbm_keras.encoders import whisper
    from mbm_keras.weights import open_folder

    opened = open_folder(folder)
    kind = opened.config["model_type"]
    known = {
        "hubert": wav2vec2.convolutions_of,
        "wav2vec2": wav2vec2.convolutions_of,
        "whisper": whisper.convolutions_of,
    }
    if kind not in known:
        raise ValueError(
            f"Expected an encoder of speech in {opened.path}: {', '.join(known)}. "
            f"Received: {kind!r}."
        )
    return known[kind](opened.config)


def _open_reader(folder, modality, column, longest=None, seconds=None):
    """From raw values to what the encoder of a folder takes."""
    from mbm_keras.preprocessing import Subwords
    from mbm_keras.preprocessing import WhisperLogMel
    from mbm_keras.preprocessing import preprocessor_from_folder

    if modality == "text":
        reader = Subwords.from_folder(folder)
        reader.longest = min(reader.longest, longest or reader.longest)
        return reader
    found = preprocessor_from_folder(folder)
    # Samples are as much of a sound as its spectrogram.
    reads = "audio" if found.modality == "wave" else found.modality
    if reads != modality:
        raise ValueError(
            f"Expected an encoder of {modality} for the column {column!r}. "
            f"Received: folder={folder}, which reads {reads}."
        )
    if seconds is None:
        return found
    config = {**found.config(), "seconds": seconds}
    if isinstance(found, WhisperLogMel):  # its positions end with its window
        config |= {"seconds": min(seconds, found.seconds), "variable": True}
    return type(found).from_config(config)
