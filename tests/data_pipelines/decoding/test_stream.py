"""Stream: rows decoded batch by batch, equal to those that `decode` returns."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines import Stream
from data_pipelines import augment
from data_pipelines.decoding.decode import decode
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import LogMel
from tests.tables import assert_equal_batches
from tests.tables import to_arrays

# Small graphs: the tests of `augment` have all changes.
CHANGES = {"photo": augment.crops(), "voice": augment.noise()}
SOME = np.arange(40) % 4 > 0


def test_a_stream_has_the_batches_of_decode(good_stream, good_samples):
    options = dict(shuffle=True, seed=3, augment=CHANGES)
    ours = good_stream.take(SOME).batches(7, **options)
    expected = good_samples.take(SOME).batches(7, **options)
    assert ours.cardinality() == 5
    for _ in range(2):  # the second pass is the second epoch
        assert_equal_batches(to_arrays(ours), to_arrays(expected))


def test_groups_are_those_of_samples(good_stream, good_samples):
    options = dict(shuffle=True, seed=2, group_by="voice", inputs=["text"])
    ours = to_arrays(good_stream.take(SOME).batches(7, **options))
    assert_equal_batches(ours, to_arrays(good_samples.take(SOME).batches(7, **options)))


def test_lengths_and_buckets_are_those_of_samples(good):
    table, _, targets = good
    features = Features(voice=LogMel(8_000, 0.3, variable=True))
    samples, _, _ = decode(table, features, targets, keep_corrupt=True)
    present = np.isin(np.arange(40), samples.ids - 1)
    stream = Stream(table, features, targets)
    part = stream.take(present & SOME)
    options = dict(shuffle=True, seed=2, bucket_by="voice", max_steps=120)
    ours = to_arrays(part.batches(7, **options))
    samples_part = samples.take(SOME[present])
    assert_equal_batches(ours, to_arrays(samples_part.batches(7, **options)))
    # Other rows of the same stream have lengths of their own.
    lengths = stream.lengths("voice")
    assert (lengths[present] == samples.lengths("voice")).all()
    assert not lengths[~present].any()
    assert len({x["voice"].shape[1] for x, _ in ours}) > 1


def test_rows_are_mixed_like_those_of_samples(good, good_samples):
    table, features, _ = good
    photos = Features(photo=features.by_name["photo"])
    samples, _, _ = decode(table, photos)
    options = dict(shuffle=True, mixup=augment.mixup(0.5, ["photo"]))
    ours = to_arrays(Stream(table, photos).batches(7, **options))
    assert_equal_batches(ours, to_arrays(samples.batches(7, **options)))
    unmixed = to_arrays(samples.batches(7, shuffle=True))
    assert (ours[0][0]["photo"] != unmixed[0][0]["photo"]).any()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(unique=True), "`decode` the table"),
        (dict(bucket_by="text", group_by="photo"), "not both"),
        (dict(inputs=["picture"]), "to name inputs"),
    ],
)
def test_arguments_that_exclude_each_other_are_refused(good_stream, arguments, message):
    with pytest.raises(ValueError, match=message):
        good_stream.batches(4, **arguments)


@pytest.fixture(scope="module")
def bad_stream(bad):
    """A stream of the broken table after one epoch."""
    stream = Stream(*bad)
    return stream, to_arrays(stream.batches(8))


def test_broken_rows_leave_their_batch(bad_stream):
    _, batches = bad_stream
    assert sum(len(x["photo"]) for x, _ in batches) == 2


def test_broken_rows_have_the_reasons_of_decode(bad_stream, bad_decoded):
    stream, _ = bad_stream
    _, _, broken = bad_decoded
    assert sorted(stream.broken) == sorted(broken)


def test_a_summary_counts_every_row_once(bad_stream):
    stream, _ = bad_stream
    summary = stream.summary()
    assert summary["good"] == 2 and summary["rows"] == len(stream)
    assert summary["rows"] == sum(summary.values()) - summary["rows"]


def test_a_scanned_stream_has_no_broken_rows(bad_stream):
    stream, _ = bad_stream
    scanned = stream.scan()
    assert scanned.ids.tolist() == [1, 2]
    assert len(to_arrays(scanned.batches(1))) == 2


def test_a_batch_without_a_good_row_is_an_error(bad_stream):
    stream, _ = bad_stream
    message = r"leave out broken rows with `scan\(\)`"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        to_arrays(stream.batches(1))


def test_a_corrupt_input_can_be_kept_as_absent(bad, bad_kept):
    table, features, _ = bad
    samples, _, broken = bad_kept
    stream = Stream(table, features, keep_corrupt=True)
    scanned = stream.scan()
    assert_equal_batches(to_arrays(scanned.batches(4)), to_arrays(samples.batches(4)))
    assert_equal_batches([*scanned.status.values()], [*samples.status.values()])
    assert sorted(stream.broken) == sorted(broken)


def test_inputs_that_are_left_out_change_nothing_else(good_stream):
    options = dict(shuffle=True, augment=CHANGES)
    whole = to_arrays(good_stream.batches(16, **options))
    part = to_arrays(good_stream.batches(16, **options, inputs=["voice"]))
    assert set(part[0][0]) == {"voice", "present"}
    expected = [({key: x[key] for key in ("voice", "present")}, y) for x, y in whole]
    assert_equal_batches(part, expected)


@pytest.fixture(params=["stream", "samples"])
def source(request, good_stream, good_samples):
    return good_stream if request.param == "stream" else good_samples


def resume(source, **more):
    return source.resumable(7, shuffle=True, seed=5, augment=CHANGES, **more)


@pytest.fixture
def fifteen(source):
    """Fifteen batches, two and a half epochs, and the state before each."""
    batches, states, arrays = resume(source), [], []
    for _ in range(15):
        states.append(json.loads(json.dumps(batches.state())))
        arrays += to_arrays([next(batches)])
    return states, arrays


def test_it_continues_with_the_next_batch(source, fifteen):
    states, arrays = fifteen
    for start in (1, 6, 7):  # within an epoch of six, at its end, after it
        assert len(json.dumps(states[start])) < 64
        batches = resume(source, state=states[start])
        following = to_arrays(next(batches) for _ in range(start, 15))
        assert_equal_batches(following, arrays[start:])


def test_two_workers_continue_where_one_stopped(source, fifteen):
    states, arrays = fifteen
    for start in (1, 6, 7):
        workers = [resume(source, state=states[start], worker=(i, 2)) for i in (0, 1)]
        photos = np.concatenate([next(worker)[0]["photo"] for worker in workers])
        expected = arrays[start][0]["photo"]
        assert sorted(photos.tolist()) == sorted(expected.tolist())


def test_a_state_of_another_batch_size_is_refused(good_stream):
    state = good_stream.resumable(7).state()
    with pytest.raises(ValueError, match="steps=4"):
        good_stream.resumable(10, state=state)


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
