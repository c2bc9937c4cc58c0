"""What each modality contributes to a model while it trains."""

import warnings
from collections.abc import Iterable
from collections.abc import MutableMapping
from typing import Any

import keras
import numpy as np

from mbm_keras.inputs import PRESENT
from mbm_keras.inputs import input_keys


class ModalityBalance(keras.callbacks.Callback):
    """Logs each modality's share, and warns when the model no longer uses one.

    At the end of an epoch each input is marked absent in turn:

        d_i     = max(0, loss without i - loss with all)
        share_i = d_i / sum_j d_j

    on `dataset`. The shares are in the logs as `share_<key>`, and so in the history.

    Source: the difference is the leave-one-out importance of Breiman 2001, "Random
    Forests", https://doi.org/10.1023/A:1010933404324, section 10. Deviation: the input
    is marked absent, and not replaced by noise.

    Args:
        dataset: Batches of `(inputs, targets)`, both by name, with `present` among the
            inputs; some hundred rows of validation data are enough.
        least: A share below this is a collapse; 0 never warns.
        patience: Epochs in a row with such a small share before the warning.

    Raises:
        ValueError: When training begins, if the model has no input `present`.
    """

    def __init__(self, dataset: Iterable[Any], least: float = 0.02, patience: int = 2):
        super().__init__()
        self.dataset = dataset
        self.least = least
        self.patience = patience
        self._num_small: dict[str, int] = {}

    def on_train_begin(self, logs: Any = None) -> None:
        names = [tensor.name for tensor in self.model.inputs]
        if PRESENT not in names:
            raise ValueError(
                "Expected a model that was built with `presence=True`, since inputs "
                f"are marked absent to compute shares. Received: inputs={names}."
            )
        self._num_small = dict.fromkeys(input_keys(self.model), 0)

    def on_epoch_end(
        self, epoch: int, logs: MutableMapping[str, Any] | None = None
    ) -> None:
        for key, share in self.shares().items():
            if logs is not None:
                logs[f"share_{key}"] = share
            is_small = share < self.least
            self._num_small[key] = self._num_small[key] + 1 if is_small else 0
            if self._num_small[key] == self.patience:
                warnings.warn(
                    f"The model does not use {key!r}: its share is {share:.1%} for "
                    f"{self.patience} epochs. Modality dropout, a learning rate of its "
                    "own or a unimodal stage for its tower may help.",
                    stacklevel=2,
                )

    def shares(self) -> dict[str, float]:
        """The current share of each input by its key; zeros if no input matters."""
        keys = input_keys(self.model)
        whole = self._loss(None)
        losses = [self._loss(i) for i in range(len(keys))]
        shares = np.maximum(np.array(losses) - whole, 0.0)
        shares = shares / max(shares.sum(), 1e-12)
        return dict(zip(keys, shares.tolist(), strict=True))

    def _loss(self, without):
        """The mean loss without an input, over rows that have another one."""
        total = num_rows = 0.0
        for inputs, targets in self.dataset:
            x = {t.name: np.asarray(inputs[t.name]) for t in self.model.inputs}
            present = np.array(x[PRESENT], bool)
            if without is not None:
                present[:, without] = False
            valid = present.any(axis=1)
            if not valid.any():
                continue
            x = {name: a[valid] for name, a in {**x, PRESENT: present}.items()}
            y = {name: np.asarray(a)[valid] for name, a in targets.items()}
            outputs = self.model(x, training=False)
            loss = self.model.compute_loss(x, y, outputs, training=False)
            total += float(keras.ops.convert_to_numpy(loss)) * valid.sum()
            num_rows += valid.sum()
        return total / max(num_rows, 1.0)
