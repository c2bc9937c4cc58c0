"""Parts that several processes share, and what a killed one costs."""

import os

import pytest

from data_pipelines.workers import share
from tests.data_pipelines.doubling import begin


def run(folder, parts=range(5), workers=2):
    """Results by part, and the processes that gave them."""
    results, processes = {}, set()

    def done(part, result):
        assert part not in results
        results[part] = result[0]
        processes.add(result[1])

    def take(part):
        return 10 * part

    share(parts, take, begin, (folder,), workers=workers, done=done)
    return results, processes


def test_one_process_is_this_one(tmp_path):
    results, processes = run(tmp_path, workers=1)
    assert results == {i: 20 * i for i in range(5)} and processes == {os.getpid()}


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(tmp_path):
    for part in (0, 3):
        (tmp_path / f"kill-{part}").touch()
    results, processes = run(tmp_path)
    assert results == {i: 20 * i for i in range(5)}
    assert os.getpid() not in processes


@pytest.mark.slow
def test_a_part_that_ends_every_worker_is_given_up(tmp_path):
    (tmp_path / "fatal-1").touch()
    with pytest.raises(ValueError, match=r"exit code -9\) in part 1, and so was"):
        run(tmp_path, range(2))


@pytest.mark.slow
def test_the_error_of_a_part_is_raised(tmp_path):
    (tmp_path / "wrong-1").touch()
    with pytest.raises(ValueError, match="^part 1 cannot be done$"):
        run(tmp_path, range(2))
