"""What each modality is worth to a model while it trains."""

import warnings

import keras
import numpy as np


class ModalityBalance(keras.callbacks.Callback):
    """Shows each modality's share of what a model knows, and warns when one is lost.

    At the end of an epoch each input is declared absent in turn:

        d_i     = max(0, loss without i - loss with all)
        share_i = d_i / sum_j d_j

    on `dataset`. The shares stand in the logs as `share_<name>`, and so in the history
    and on the progress bar.

    Source: the difference is the leave-one-out importance of Breiman 2001, "Random
    Forests", https://doi.org/10.1023/A:1010933404324, section 10, with absence for
    noise.

    Args:
        dataset: Batches of `(inputs, targets)`, both by name, with `present` among the
            inputs; some hundred rows of validation will do.
        names: Names of the inputs in the order of `present`.
        least: A share below this is a collapse; 0 never warns.
        patience: Epochs in a row that a share must be so small.

    Raises:
        ValueError: When training begins, if the model has no input `present`.
    """

    def __init__(self, dataset, names, least=0.02, patience=2):
        super().__init__()
        self.dataset = dataset
        self.names = list(names)
        self.least = least
        self.patience = patience
        self._small = dict.fromkeys(self.names, 0)

    def on_train_begin(self, logs=None):
        if "present" not in [tensor.name for tensor in self.model.inputs]:
            raise ValueError(
                "Shares are told by leaving inputs out: build the model with "
                "`presence=True`."
            )

    def on_epoch_end(self, epoch, logs=None):
        shares = self.shares()
        for name, share in shares.items():
            if logs is not None:
                logs[f"share_{name}"] = share
            self._small[name] = self._small[name] + 1 if share < self.least else 0
            if self._small[name] == self.patience:
                warnings.warn(
                    f"The model does without {name!r}: its share is {share:.1%} for "
                    f"{self.patience} epochs. Modality dropout, a rate of its own or "
                    "training its tower alone may help.",
                    stacklevel=2,
                )

    def shares(self):
        """The share of each input now, by name; zeros if none is worth anything."""
        whole = self._loss(None)
        losses = [self._loss(i) for i in range(len(self.names))]
        worth = np.maximum(np.array(losses) - whole, 0.0)
        worth = worth / max(worth.sum(), 1e-12)
        return dict(zip(self.names, worth.tolist(), strict=True))

    def _loss(self, without):
        """The mean loss, over rows that have something left."""
        total = rows = 0.0
        for inputs, targets in self.dataset:
            x = {t.name: np.asarray(inputs[t.name]) for t in self.model.inputs}
            here = np.array(x["present"], bool)
            if without is not None:
                here[:, without] = False
            left = here.any(axis=1)
            if not left.any():
                continue
            x = {name: a[left] for name, a in {**x, "present": here}.items()}
            y = {name: np.asarray(a)[left] for name, a in targets.items()}
            outputs = self.model(x, training=False)
            loss = self.model.compute_loss(x, y, outputs, training=False)
            total += float(keras.ops.convert_to_numpy(loss)) * left.sum()
            rows += left.sum()
        return total / max(rows, 1.0)
