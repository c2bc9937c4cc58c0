"""ExitGuard: a process ends after the threads that run Python."""

import contextlib
import threading

import pytest

from data_pipelines.decoding.exit_guard import ExitGuard


@contextlib.contextmanager
def thread_inside(guard):
    """A thread that is inside until the function is called."""
    entered, leave = threading.Event(), threading.Event()

    def work():
        with guard.enter():
            entered.set()
            leave.wait(5)

    thread = threading.Thread(target=work)
    thread.start()
    entered.wait(5)
    try:
        yield leave.set
    finally:
        leave.set()
        thread.join()


def test_after_the_end_nothing_enters():
    guard = ExitGuard()
    with guard.enter():
        pass
    guard._close()
    with pytest.raises(RuntimeError, match="about to end"), guard.enter():
        pass


def test_the_end_waits_for_a_thread_inside():
    guard = ExitGuard()
    with thread_inside(guard) as leave:
        end = threading.Thread(target=guard._close)
        end.start()
        end.join(0.2)
        assert end.is_alive()
        leave()
        end.join(5)
        assert not end.is_alive()


def test_the_end_does_not_wait_forever():
    guard = ExitGuard()
    with thread_inside(guard):
        end = threading.Thread(target=guard._close, args=[0.1])
        end.start()
        end.join(2)
        assert not end.is_alive()


def test_a_thread_that_fails_is_not_waited_for():
    guard = ExitGuard()
    with pytest.raises(ZeroDivisionError), guard.enter():
        raise ZeroDivisionError
    end = threading.Thread(target=guard._close)
    end.start()
    end.join(2)
    assert not end.is_alive()
