"""What is not printed."""

import logging

from mbm_keras.runs.runtime import load_tensorflow

AGAIN = "5 out of the last 9 calls to <function %s> triggered tf.function retracing."


def test_of_models_that_are_traced_twice_nothing_is_said(caplog):
    load_tensorflow()
    logger = logging.getLogger("tensorflow")
    with caplog.at_level("WARNING", logger="tensorflow"):
        logger.addHandler(caplog.handler)
        logger.warning(AGAIN, "TensorFlowTrainer.make_predict_function.<locals>.one")
        logger.warning(AGAIN, "mine")
        logger.removeHandler(caplog.handler)
    assert {AGAIN % "mine"} == {record.getMessage() for record in caplog.records}
