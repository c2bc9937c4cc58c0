"""Cache: decoded arrays on disk, used by later epochs and later processes."""

import dataclasses
import errno
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

from data_pipelines import Stream
from data_pipelines.decoding.cache import Cache
from data_pipelines.decoding.inputs import find_inputs
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import Pixels
from tests.tables import assert_equal_batches
from tests.tables import to_arrays

OPTIONS = dict(shuffle=True, seed=1)


@pytest.fixture(scope="module")
def photos(good):
    """A table and features of its photos alone, whose decoders are set up fast."""
    table, features, _ = good
    return table, Features(photo=features.by_name["photo"])


@pytest.fixture(scope="module")
def two_epochs(photos):
    """The batches of two epochs without a cache."""
    batches = Stream(*photos).batches(7, **OPTIONS)
    return to_arrays(batches), to_arrays(batches)


@pytest.fixture(scope="module")
def full_folder(photos, two_epochs, tmp_path_factory):
    """A folder that one epoch has filled."""
    folder = tmp_path_factory.mktemp("cache") / "made"
    batches = Stream(*photos, cache=folder).batches(7, **OPTIONS)
    assert_equal_batches(to_arrays(batches), two_epochs[0])
    return folder


def test_a_later_epoch_and_a_later_process_read_no_file(
    photos, two_epochs, full_folder, monkeypatch
):
    monkeypatch.setattr(type(photos[0].store), "get", lambda *_: pytest.fail("read"))
    batches = Stream(*photos, cache=full_folder).batches(7, **OPTIONS)
    for epoch in two_epochs:
        assert_equal_batches(to_arrays(batches), epoch)


@pytest.mark.slow
def test_another_preprocessor_replaces_the_files(photos, tmp_path):
    table, features = photos
    to_arrays(Stream(table, features, cache=tmp_path).batches(8))
    features = Features(photo=Pixels(4))
    ((x, _), *_) = to_arrays(Stream(table, features, cache=tmp_path).batches(8))
    ((y, _), *_) = to_arrays(Stream(table, features).batches(8))
    assert_equal_batches([x], [y])


def test_a_cache_with_a_damaged_note_is_made_again(photos, two_epochs, tmp_path):
    to_arrays(Stream(*photos, cache=tmp_path).batches(8))
    for note in tmp_path.glob("*.json"):
        note.write_text(note.read_text()[:7])
    batches = Stream(*photos, cache=tmp_path).batches(7, **OPTIONS)
    assert_equal_batches(to_arrays(batches), two_epochs[0])


def test_a_cache_keeps_which_rows_are_corrupt(bad, tmp_path):
    table, features, _ = bad
    features = Features(photo=features.by_name["photo"])
    first = Stream(table, features, cache=tmp_path)
    batches = to_arrays(first.batches(10))
    second = Stream(table, features, cache=tmp_path)
    assert_equal_batches(to_arrays(second.batches(10)), batches)
    assert sorted(second.broken) == sorted(first.broken)


def test_batches_read_at_once_open_the_files_once(photos, tmp_path):
    table, features = photos
    source = find_inputs(table, features)["photo"]
    values = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), "uint8")

    def decode(rows):
        return values[rows], np.zeros(len(rows), np.uint8)

    for i in range(30):
        cache, barrier = Cache(tmp_path / str(i), table, source), Barrier(8)

        def get(first, cache=cache, barrier=barrier):
            barrier.wait()
            rows = np.arange(first, first + 5)
            return cache.get(rows, decode)[0].numpy(), values[rows]

        with ThreadPoolExecutor(8) as threads:
            for found, expected in threads.map(get, range(0, 40, 5)):
                np.testing.assert_array_equal(found, expected)
        assert not np.fromfile(tmp_path / str(i) / "photo.status", np.uint8).any()


def test_no_key_leads_out_of_the_folder(photos, tmp_path):
    table, features = photos
    source = find_inputs(table, features)["photo"]
    source = dataclasses.replace(source, key="../../victim")
    rows = np.arange(5)

    def decode(rows):
        return np.zeros((len(rows), 8, 8, 3), "uint8"), np.zeros(len(rows), np.uint8)

    Cache(tmp_path / "a" / "cache", table, source).get(rows, decode)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["cache"]


def test_a_disk_that_is_full_is_an_error(photos, tmp_path, monkeypatch):
    """The system writes a part of the bytes first, and says so the next time."""
    table, features = photos
    cache = Cache(tmp_path, table, find_inputs(table, features)["photo"])
    room = [100, 50]

    def write(file, data, start):
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return min(room.pop(), len(data))

    def decode(rows):
        return np.ones((len(rows), 8, 8, 3), "uint8"), np.zeros(len(rows), np.uint8)

    monkeypatch.setattr("os.pwrite", write)
    with pytest.raises(OSError, match="No space left"):
        cache.get(np.arange(5), decode)
    assert not (np.fromfile(tmp_path / "photo.status", np.uint8) == 0).any()
