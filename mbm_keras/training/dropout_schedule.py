"""Modality dropout whose rates change from epoch to epoch."""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import keras


class ModalityDropoutSchedule(keras.callbacks.Callback):
    """Sets the rates of a `ModalityDropout` layer when an epoch begins.

        ModalityDropoutSchedule(lambda epoch: min(0.5, 0.1 * epoch))

    Args:
        rates: A function of the number of an epoch, from 0, that returns one rate for
            all inputs, or a rate for each, in [0, 1].
        layer: Name of the layer.

    Raises:
        ValueError: When training begins, if the model has no such layer; when an epoch
            begins, if a rate is not in [0, 1] or there is not one for each input.
    """

    def __init__(
        self,
        rates: Callable[[int], float | Sequence[float]],
        layer: str = "modality_dropout",
    ):
        super().__init__()
        self.rates = rates
        self.layer = layer

    def on_train_begin(self, logs: Any = None) -> None:
        names = [layer.name for layer in self.model.layers]
        if self.layer not in names:
            raise ValueError(
                f"Expected a layer {self.layer!r} in `{self.model.name}`: build it "
                f"with `absence=Absence(dropout=...)`. Received: layers={names}."
            )

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        try:
            self.model.get_layer(self.layer).set_rates(self.rates(epoch))
        except ValueError as error:
            reason = str(error).rstrip(".")
            raise ValueError(f"{reason} for epoch {epoch}.") from None
