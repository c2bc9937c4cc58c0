"""Progress: what a person sees while stages run."""

import io

import pytest

from mbm_keras.training import Progress
from mbm_keras.training import Stage
from mbm_keras.training import displays
from mbm_keras.training import fit_stages
from mbm_keras.training import progress
from tests.toys import TASK
from tests.toys import toy_data
from tests.toys import toy_model

STAGES = [Stage("image unimodal", 1, unimodal="image"), Stage("finetune", 2)]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Seconds that only pass if a test says so."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    def wait(seconds):
        now[0] += seconds

    return wait


class Shown:
    """A display that keeps what it is given."""

    def __init__(self):
        self.updates, self.epochs, self.stages = [], [], []

    def update(self, head, share, tails):
        self.updates.append((head, share, tails))

    def end_epoch(self, text):
        self.epochs.append(text)

    def end_stage(self, text):
        self.stages.append(text)

    def close(self):
        pass


def run(callback, stage, clock, seconds=2.0, steps=4, first=0):
    """Calls the callback as `fit` would, a step in so many seconds."""
    callback.begin_stage(stage)
    callback.set_params({"steps": steps, "epochs": stage.epochs})
    callback.on_train_begin()
    for epoch in range(first, stage.epochs):
        callback.on_epoch_begin(epoch)
        for step in range(steps):
            callback.on_train_batch_begin(step)
            clock(seconds)
            callback.on_train_batch_end(step, {"loss": 0.5, "accuracy": 0.25})
        callback.on_epoch_end(epoch, {"loss": 0.5, "accuracy": 0.25, "val_loss": 0.75})


def test_an_epoch_has_stage_number_values_and_time_left(clock):
    shown = Shown()
    stages = [Stage("fusion", 3), Stage("finetune", 10)]
    run(Progress(shown, stages, "accuracy"), stages[0], clock)
    values = "loss 0.5 (valid 0.75)  accuracy 0.25"
    # 12 epochs of 8 seconds are left, as far as the steps after the first one say.
    assert shown.epochs[0] == f"fusion 1 of 2, epoch 1/3  {values}  1:36 left"
    assert shown.epochs[2] == f"fusion 1 of 2, epoch 3/3  {values}  1:20 left"


def test_the_time_of_the_first_step_does_not_count(clock):
    shown, stage = Shown(), Stage("finetune", 2)
    callback = Progress(shown, [stage], "accuracy")
    callback.begin_stage(stage)
    callback.set_params({"steps": 2, "epochs": 2})
    callback.on_train_begin()
    callback.on_epoch_begin(0)
    callback.on_train_batch_begin(0)
    clock(60.0)  # it is traced
    callback.on_train_batch_begin(1)
    clock(1.0)
    callback.on_epoch_end(0, {})
    assert shown.epochs == ["finetune 1 of 1, epoch 1/2  0:02 left"]


def test_the_first_step_does_not_count_in_epochs_of_one_step(clock):
    shown, stage = Shown(), Stage("finetune", 3)
    run(Progress(shown, [stage], "accuracy"), stage, clock, steps=1)
    left = [text.rpartition("  ")[2] for text in shown.epochs]
    assert left == ["accuracy 0.25", "0:02 left", "0:00 left"]


def test_a_resumed_stage_counts_its_own_epochs(clock):
    shown, stage = Shown(), Stage("finetune", 10)
    run(Progress(shown, [stage], "accuracy"), stage, clock, first=8)
    assert shown.epochs[0].endswith("0:08 left")


def test_stages_that_were_not_expected_are_counted(clock):
    shown = Shown()
    callback = Progress(shown, [Stage("a", 1)])
    for name in ("a", "b"):
        run(callback, Stage(name, 1), clock)
    assert shown.epochs[1].startswith("b 2 of 2")


def test_the_line_is_not_drawn_at_every_step(clock):
    shown, stage = Shown(), Stage("finetune", 1)
    run(Progress(shown, [stage], "accuracy"), stage, clock, seconds=0.01, steps=100)
    assert len(shown.updates) == 1 + 5 + 1  # at the begin, each 0.2 s, at the end


def test_keras_does_not_wait_for_the_values_of_a_step():
    assert Progress.async_safe


def test_an_ended_stage_says_which_epoch_is_best(clock):
    shown, stage = Shown(), Stage("finetune", 3)
    callback = Progress(shown, [stage], "accuracy")
    run(callback, stage, clock)
    callback.end_stage(stage, {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 1.5, 2.0]}, 2)
    assert shown.stages == [
        "finetune 1 of 1, 3 epochs, best is 2  loss 2 (valid 1.5)  0:24"
    ]


def test_a_stage_of_an_earlier_run_is_said_to_be_one(clock):
    shown, stage = Shown(), Stage("finetune", 2)
    callback = Progress(shown, [stage], "accuracy")
    callback.begin_stage(stage)
    callback.end_stage(stage, {"loss": [2.0, 1.0]}, 2)
    assert "2 epochs in an earlier run" in shown.stages[0]


@pytest.fixture
def stderr(monkeypatch, eagerly):
    """Runs two stages and returns what they wrote to a stream in place of stderr."""

    def run(stream, verbose="auto"):
        monkeypatch.setattr("sys.stderr", stream)
        data = toy_data()
        fit_stages(toy_model(), STAGES, data, data, task=TASK, verbose=verbose)
        return stream.getvalue()

    return run


def test_a_file_gets_a_line_per_epoch_and_stage(stderr):
    text = stderr(io.StringIO())
    assert "\r" not in text
    heads = [line.split("  ")[0] for line in text.splitlines()]
    assert heads == [
        "image unimodal 1 of 2, epoch 1/1",
        "image unimodal 1 of 2, 1 epoch, best is 1",
        "finetune 2 of 2, epoch 1/2",
        "finetune 2 of 2, epoch 2/2",
        "finetune 2 of 2, 2 epochs, best is 2",
    ]


def test_a_terminal_gets_a_line_per_stage_that_is_redrawn(stderr, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    text = stderr(Terminal())
    first, second, end = text.split("\n")
    assert end == "" and "image unimodal 1 of 2" in first
    *drawings, result = second.split("\r")
    assert "2 epochs, best is" in result
    assert all(len(drawing) < 100 for drawing in drawings)
    assert any("━" in drawing and "epoch 2/2" in drawing for drawing in drawings)


def test_zero_is_silence(stderr):
    assert stderr(Terminal(), verbose=0) == ""


def test_one_draws_a_line_where_there_is_no_terminal():
    assert isinstance(displays.display_for(1), displays.TerminalLine)


def test_another_number_is_an_error():
    with pytest.raises(ValueError, match="0, 1, 2 or 'auto'. Received: 3"):
        displays.display_for(3)


def test_a_terminal_line_that_is_shorter_leaves_nothing_of_the_one_before():
    stream = Terminal()
    line = displays.TerminalLine(stream)
    line.end_stage("a long line")
    line.update("a line", 0.0, ["of values"])
    line.end_stage("short")
    assert stream.getvalue().splitlines()[-1].split("\r")[-1] == "short".ljust(
        len(stream.getvalue().split("\r")[-2])
    )


def test_an_interrupted_line_ends():
    stream = Terminal()
    with pytest.raises(KeyboardInterrupt):
        with Progress(displays.TerminalLine(stream), STAGES) as callback:
            callback.begin_stage(STAGES[0])
            raise KeyboardInterrupt
    assert stream.getvalue().endswith("\n")


@pytest.mark.parametrize(
    "width, unicode, line",
    [
        (30, True, "head  ━━━━─────────  long tail"),
        (18, True, "head  ━━────  tail"),
        (18, False, "head  ==----  tail"),
        (15, True, "head  long tail"),
        (14, True, "head  tail"),
        (8, True, "head  ta"),
    ],
)
def test_the_bar_takes_the_room_between_the_texts(width, unicode, line):
    tails = ["long tail", "tail"]
    assert displays.bar_line("head", 1 / 3, tails, width, unicode) == line


def test_in_a_notebook_one_output_is_updated(monkeypatch):
    display = pytest.importorskip("IPython.display")
    shown = []

    class Handle:
        def update(self, data, raw):
            shown.append(data["text/plain"])

    def show(data, raw, display_id):
        shown.append(data["text/plain"])
        return Handle()

    monkeypatch.setattr(display, "display", show)
    line = displays.NotebookLine()
    line.end_stage("first")
    line.update("second", 0.5, ["0:10 left"])
    line.end_stage("second, ended")
    assert shown[0] == "first" and shown[2] == "first\nsecond, ended"
    assert shown[1].splitlines()[0] == "first" and "━" in shown[1].splitlines()[1]
