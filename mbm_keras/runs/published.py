"""A published pair of encoders, CLIP, SigLIP or CLAP, as a run that needs no training.

pair = mbm.load("clip-vit-base-patch32/")
pair.zero_shot("pictures/", ["cat", "dog"])
mbm.index(pair, "pictures/", "index")
"""

import functools
import os
import pathlib
from typing import Any

from mbm_keras.runs import folder as run_folder
from mbm_keras.runs.run import Run

_CONFIG = "config.json"
_SAMPLE = ("a photo of a cat", "a dog that barks")


def is_published(folder: str | os.PathLike) -> bool:
    """Whether a folder is that of a checkpoint, and not that of a run."""
    folder = pathlib.Path(folder)
    return (folder / _CONFIG).is_file() and not (folder / run_folder.STARTED).exists()


class PublishedRun(Run):
    """A published pair of encoders, which has a model but was not trained here.

    Its inputs are `text` and `image` or `audio`. It can be asked for what belongs
    together: `zero_shot`, `predict`, `export`, and `mbm_keras.index` and `search`. It
    has no metrics, no history and no report.

    Args:
        folder: Folder of the checkpoint, in the layout of Hugging Face.

    Raises:
        ValueError: If it is not a pair of encoders.
    """

    is_trained = False

    def __init__(self, folder: str | os.PathLike):
        self.folder = pathlib.Path(folder)
        self._pair()

    def _pair(self):
        """The opened folder, and what compares its embeddings."""
        from mbm_keras.weights import open_folder
        from mbm_keras.weights.pairs import read_pair

        opened = open_folder(self.folder)
        return opened, read_pair(opened)

    @property
    def is_association(self):
        return True

    @functools.cached_property
    def checksum(self):
        from mbm_keras.weights.digest import digest

        return digest(self.folder)

    @functools.cached_property
    def saved(self):
        """The model and what it reads, as of a trained run."""
        from mbm_keras.runs.runtime import load_tensorflow

        load_tensorflow()
        from data_pipelines.formats.reading import Reading
        from mbm_keras.models import dual_encoder
        from mbm_keras.preprocessing import Features
        from mbm_keras.preprocessing import Matches
        from mbm_keras.runs.saved import Saved

        opened, pair = self._pair()
        features = Features(**{part: _reader(self.folder, part) for part in pair.parts})
        sizes = {spec.name: spec.sizes for spec in features.inputs()}
        model, task = dual_encoder.load(opened, sizes=sizes, frozen=True)
        plan = _plan(self.folder, pair, task)
        sample = {"text": list(_SAMPLE), pair.other: [b""] * len(_SAMPLE)}
        columns = {part: part for part in pair.parts}
        targets = {task.name: Matches(task.width, task.kind)}
        return Saved(model, features, targets, columns, plan, sample, Reading())

    def __str__(self):
        return repr(self)

    def __repr__(self):
        return f"PublishedRun({str(self.folder)!r})"

    def _repr_html_(self):
        return None


def _reader(folder: pathlib.Path, part: str) -> Any:
    """The preprocessor of one part; texts have room for all that the encoder reads."""
    from mbm_keras.auto import published
    from mbm_keras.preprocessing import Subwords

    if part == "text":
        found = Subwords.from_folder(folder)
        return Subwords(found.spec, sequence_length=_room(folder, found.longest))
    return published.build_reader(str(folder), part)


def _room(folder, longest):
    """The most ids of a text: of the tokenizer and of the encoder, the smaller one."""
    from mbm_keras.weights import open_folder
    from mbm_keras.weights.load import arguments_of
    from mbm_keras.weights.load import family_of

    opened = open_folder(folder)
    arguments = arguments_of(opened, family_of(opened, "text"))
    positions = arguments["num_positions"]
    if opened.config["model_type"] == "clap":  # counts them after the id of padding
        positions -= arguments["padding_id"] + 1
    return min(longest, positions)


def _plan(folder, pair, task):
    """The plan that such a run would have had."""
    from mbm_keras.auto.plan import ASSOCIATION
    from mbm_keras.auto.plan import InputPlan
    from mbm_keras.auto.plan import Plan

    reason = f"`{folder.name}`, as it was published"
    return Plan(
        target=task.name,
        target_kind=ASSOCIATION,
        inputs={
            part: InputPlan(part, {part: part}, "Published", reason=reason)
            for part in pair.parts
        },
        model="dual_encoder",
        fusion="",
        width=task.width,
        loss=task.kind,
    )
