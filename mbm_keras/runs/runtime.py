"""How TensorFlow is started, and what a run costs."""

import logging
import os
import sys
import time
import warnings


def _is_no_second_trace(record):
    """False for what TensorFlow says of models that are traced anew.

    Every stage compiles a model of its own, and each is traced for a whole batch and
    for the rest of the rows: these are not the loop that the warning is about.
    """
    text = record.getMessage()
    return "function retracing" not in text or "TensorFlowTrainer." not in text


def load_tensorflow():
    """Imports Keras and TensorFlow without their messages on standard error."""
    logging.getLogger("tensorflow").addFilter(_is_no_second_trace)
    if "tensorflow" in sys.modules:
        return  # a notebook or script has set it up
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Towers are small and run in parallel. Splitting each of their operations over all
    # cores as well took a sixth more CPU seconds.
    threads = max(1, (os.cpu_count() or 2) // 2)
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(threads))
    sys.stderr.flush()
    kept, silent = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 2)
    try:
        import keras  # noqa: F401
        import tensorflow as tf

        # Its own warnings come with the first operation.
        tf.zeros(()) + 1
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silent)
    # Keras warns that `fit` does not shuffle a tf.data dataset: ours shuffles itself.
    warnings.filterwarnings("ignore", message=".*shuffle=True. was passed.*")


def start_worker(workers):
    """Starts TensorFlow in one of several processes, with its share of the processors.

    Args:
        workers: Number of processes; 1 leaves the threads as they are. A `Ray` gives
            each of its workers one processor.
    """
    if workers != 1:
        share = (os.cpu_count() or 1) // workers if isinstance(workers, int) else 1
        threads = str(max(1, share))
        os.environ["TF_NUM_INTRAOP_THREADS"] = threads
        os.environ["TF_NUM_INTEROP_THREADS"] = threads
    load_tensorflow()


def versions():
    """Versions of what a run depends on, by name."""
    import importlib.metadata
    import platform

    packages = ("mbm-keras", "keras", "tensorflow", "numpy", "polars")
    found = {name: importlib.metadata.version(name) for name in packages}
    return {"python": platform.python_version(), **found}


class Clock:
    """Wall and processor seconds since it was made."""

    def __init__(self):
        self.start, self.cpu_start = time.time(), time.process_time()

    def seconds(self):
        """Wall seconds, and processor seconds of the process, since it was made."""
        return {
            "seconds": round(time.time() - self.start, 1),
            "cpu_seconds": round(time.process_time() - self.cpu_start, 1),
        }
