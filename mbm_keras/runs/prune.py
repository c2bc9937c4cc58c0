"""Ends a trial of a search that is worse than the others."""

import time

import keras


class Prune(keras.callbacks.Callback):
    """Reports the figure of every epoch of the last stage, and ends bad trials.

    Args:
        trial: The trial of Optuna.
        metric: Name of the figure.
        stages: Number of stages of a model; those before the last are not compared.
        end: When the search ends, as `time.monotonic` says it; None for never.
    """

    def __init__(self, trial, metric, stages, end):
        super().__init__()
        self.trial, self.metric = trial, metric
        self.stages, self.end = stages, end
        self.stage = -1  # counted over the models of the trial

    def on_train_begin(self, logs=None):
        """Counts stages."""
        self.stage += 1

    def on_epoch_end(self, epoch, logs=None):
        """Reports the figure.

        Raises:
            optuna.TrialPruned: If the trial is to end.
        """
        import optuna

        if self.end is not None and time.monotonic() >= self.end:
            self.trial.set_user_attr("why", "out of time")
            raise optuna.TrialPruned
        value = (logs or {}).get(f"val_{self.metric}")
        model, stage = divmod(self.stage, self.stages)
        if value is None or stage != self.stages - 1:
            return
        self.trial.report(float(value), 1_000 * model + epoch)
        if self.trial.should_prune():
            raise optuna.TrialPruned
