"""Stream: rows decoded when their turn comes, the same as those decoded before."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines import Stream
from data_pipelines import augment
from data_pipelines.decoding.cache import Cache
from data_pipelines.decoding.decode import decode
from mbm_keras.preprocessing import LogMel
from tests.tables import FILES
from tests.tables import ROWS
from tests.tables import assert_equal_batches
from tests.tables import forty_rows
from tests.tables import make_table


@pytest.fixture
def good(tmp_path):
    """Forty rows without a fault, some without a part, some files shared."""
    return make_table(tmp_path, *forty_rows())


def arrays(batches):
    return [tf.nest.map_structure(np.asarray, batch) for batch in batches]


CHANGES = {"photo": augment.pictures(), "voice": augment.spectrograms()}


def test_a_stream_is_what_decode_gives(good):
    samples, _, _ = decode(*good)
    options = dict(shuffle=True, seed=3, augment=CHANGES)
    some = np.arange(40) % 4 > 0
    mine = Stream(*good).take(some).batches(7, **options)
    theirs = samples.take(some).batches(7, **options)
    assert mine.cardinality() == 5
    for _ in range(2):  # the second pass is the second epoch
        assert_equal_batches(arrays(mine), arrays(theirs))


def test_lengths_and_groups_are_those_of_samples(good):
    rows, features, targets = good
    features.by_name["voice"] = LogMel(8_000, 0.3, variable=True)
    samples, _, _ = decode(*good)
    stream = Stream(*good)
    some = np.arange(40) % 4 > 0
    for name in ("group_by", "bucket_by"):
        options = {"shuffle": True, "seed": 2, "augment": CHANGES, name: "voice"}
        if name == "bucket_by":
            options["max_steps"] = 120
        mine = arrays(stream.take(some).batches(7, **options))
        assert_equal_batches(mine, arrays(samples.take(some).batches(7, **options)))
    # Other rows of the same stream have lengths of their own.
    assert (stream.lengths("voice") == samples.lengths("voice")).all()
    assert len({x["voice"].shape[1] for x, _ in mine}) > 1


def test_rows_are_mixed_as_those_of_samples(good):
    rows, features, _ = good
    samples, _, _ = decode(rows, features)
    options = dict(shuffle=True, mixup=augment.mixup(0.5, ["photo"]))
    mine = arrays(Stream(rows, features).batches(7, **options))
    assert_equal_batches(mine, arrays(samples.batches(7, **options)))
    plain = arrays(samples.batches(7, shuffle=True))
    assert (mine[0][0]["photo"] != plain[0][0]["photo"]).any()


@pytest.mark.parametrize(
    "wrong", [{"unique": True}, {"bucket_by": "a", "group_by": "b"}]
)
def test_choices_that_do_not_go_together_are_refused(good, wrong):
    with pytest.raises(ValueError, match="decode|not by both"):
        Stream(*good).batches(4, **wrong)


def test_broken_rows_leave_their_batch_and_are_told_as_decode_tells_them(tmp_path):
    made = make_table(tmp_path, ROWS, FILES)
    _, _, broken = decode(*made)
    stream = Stream(*made)
    delivered = arrays(stream.batches(8))
    assert sum(len(x["photo"]) for x, _ in delivered) == 2
    assert sorted(stream.broken) == sorted(broken)
    summary = stream.summary()
    assert summary["good"] == 2 and summary["rows"] == len(stream)
    assert summary["rows"] == sum(summary.values()) - summary["rows"]
    assert stream.scan().ids.tolist() == [1, 2]
    assert len(arrays(stream.scan().batches(1))) == 2


def test_a_corrupt_part_can_be_kept_as_absent(tmp_path):
    rows, features, _ = make_table(tmp_path, ROWS, FILES)
    samples, _, broken = decode(rows, features, keep_corrupt=True)
    stream = Stream(rows, features, keep_corrupt=True)
    scanned = stream.scan()
    assert_equal_batches(arrays(scanned.batches(4)), arrays(samples.batches(4)))
    assert_equal_batches([*scanned.status.values()], [*samples.status.values()])
    assert sorted(stream.broken) == sorted(broken)


def test_a_batch_with_no_good_row_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="Every row of a batch is broken"
    ):
        arrays(Stream(*make_table(tmp_path, ROWS, FILES)).batches(1))


def test_only_some_inputs_are_decoded(good):
    stream = Stream(*good)
    whole = arrays(stream.batches(16, shuffle=True, augment=CHANGES))
    part = arrays(stream.batches(16, shuffle=True, augment=CHANGES, inputs=["voice"]))
    for (x, y), (mine, truth) in zip(whole, part, strict=True):
        assert set(mine) == {"voice", "present"}
        assert_equal_batches([mine[name] for name in mine], [x[name] for name in mine])
        assert_equal_batches([truth], [y])


@pytest.mark.parametrize("kind", ["stream", "samples"])
def test_it_goes_on_with_the_next_batch(good, kind):
    source = Stream(*good) if kind == "stream" else decode(*good)[0]

    def batches(**more):
        return source.resumable(7, shuffle=True, seed=5, augment=CHANGES, **more)

    unbroken = batches()
    everything = arrays(next(unbroken) for _ in range(15))
    for left_at in (1, 6, 7):  # within an epoch of six, at its end, behind it
        expected = everything[left_at:]
        first = batches()
        for _ in range(left_at):
            next(first)
        state = json.loads(json.dumps(first.state()))
        assert len(json.dumps(state)) < 64
        second = batches(state=state)
        assert_equal_batches(arrays(next(second) for _ in expected), expected)
        # Two workers go on where one was left, and share the batches out.
        workers = [batches(state=state, worker=(i, 2)) for i in range(2)]
        rows = np.concatenate([next(w)[0]["text"][:, 1] for w in workers])
        assert sorted(rows) == sorted(expected[0][0]["text"][:, 1])


def test_a_state_of_another_size_is_refused(good):
    stream = Stream(*good)
    state = stream.resumable(7).state()
    with pytest.raises(ValueError, match="4 batches here"):
        stream.resumable(10, state=state)


def test_what_was_decoded_is_kept(good, tmp_path, monkeypatch):
    options = dict(shuffle=True, seed=1, augment=CHANGES)
    plain = Stream(*good).batches(7, **options)
    first, second = arrays(plain), arrays(plain)
    cached = Stream(*good, cache=tmp_path / "c").batches(7, **options)
    assert_equal_batches(arrays(cached), first)
    # From here on, in another process too, the files are not asked for.
    monkeypatch.setattr(type(good[0].store), "get", lambda *_: pytest.fail("read"))
    assert_equal_batches(arrays(cached), second)
    assert_equal_batches(
        arrays(Stream(*good, cache=tmp_path / "c").batches(7, **options)), first
    )


def test_another_preprocessor_does_not_use_what_one_has_kept(good, tmp_path):
    rows, features, targets = good
    arrays(Stream(rows, features, targets, cache=tmp_path / "c").batches(8))
    features.by_name["photo"] = type(features.by_name["photo"])(4)
    ((x, _), *_) = arrays(Stream(*good, cache=tmp_path / "c").batches(8))
    ((y, _), *_) = arrays(Stream(*good).batches(8))
    assert_equal_batches([x], [y])


def test_batches_that_come_side_by_side_open_a_cache_once(good, tmp_path):
    rows, features, _ = good
    expected, _ = Stream(*good)._part("photo", np.arange(40))
    values = np.asarray(expected)

    def decode(rows):
        return values[rows], np.zeros(len(rows), np.uint8)

    for i in range(30):
        cache, together = Cache(tmp_path / str(i), rows, features), Barrier(8)

        def one(first, cache=cache, together=together):
            together.wait()
            some = np.arange(first, first + 5)
            return cache.get("photo", some, decode)[0].numpy(), values[some]

        with ThreadPoolExecutor(8) as threads:
            for found, wanted in threads.map(one, range(0, 40, 5)):
                np.testing.assert_array_equal(found, wanted)
        assert not (cache._open["photo"].states == 255).any()


def test_a_cache_whose_note_was_cut_off_is_made_anew(good, tmp_path):
    first = arrays(Stream(*good, cache=tmp_path / "c").batches(8))
    for note in (tmp_path / "c").glob("*.json"):
        note.write_text(note.read_text()[:7])
    assert_equal_batches(arrays(Stream(*good, cache=tmp_path / "c").batches(8)), first)


def test_a_cache_remembers_what_is_corrupt(tmp_path):
    made = make_table(tmp_path, ROWS, FILES)
    first = Stream(*made, cache=tmp_path / "c")
    arrays(first.batches(10))
    second = Stream(*made, cache=tmp_path / "c")
    assert_equal_batches(arrays(second.batches(10)), arrays(first.batches(10)))
    assert sorted(second.broken) == sorted(first.broken)


@pytest.mark.slow
def test_a_process_ends_while_a_stream_reads_ahead(tmp_path):
    script = """
import pathlib, sys
from data_pipelines import Stream
from tests.tables import FILES, make_table
rows = [("hello", "good.png", "good.wav", "yes")] * 400
stream = Stream(*make_table(pathlib.Path(sys.argv[1]), rows, FILES))
batches = stream.resumable(4, shuffle=True)
next(batches)
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    assert subprocess.run(command, timeout=120).returncode == 0
