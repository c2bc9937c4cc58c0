"""Modality dropout whose rates change from epoch to epoch."""

import keras


class ModalityDropoutSchedule(keras.callbacks.Callback):
    """Sets the rates of a `ModalityDropout` when an epoch begins.

        ModalityDropoutSchedule(lambda epoch: min(0.5, 0.1 * epoch))

    Args:
        rates: From the number of an epoch to a rate for all inputs, or one for each.
        layer: Name of the layer.

    Raises:
        ValueError: When training begins, if the model has no such layer; when an epoch
            begins, if a rate is not in [0, 1] or there is not one for each input.
    """

    def __init__(self, rates, layer="modality_dropout"):
        super().__init__()
        self.rates = rates
        self.layer = layer

    def on_train_begin(self, logs=None):
        names = [layer.name for layer in self.model.layers]
        if self.layer not in names:
            raise ValueError(
                f"`{self.model.name}` has no layer {self.layer!r}: build it with "
                f"`absence=Absence(dropout=...)`. Its layers are {names}."
            )

    def on_epoch_begin(self, epoch, logs=None):
        try:
            self.model.get_layer(self.layer).set_rates(self.rates(epoch))
        except ValueError as error:
            reason = str(error).rstrip(".")
            raise ValueError(f"{reason} for epoch {epoch}.") from None
