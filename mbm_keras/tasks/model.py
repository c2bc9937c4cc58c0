"""The Keras model that builders return: it knows whether its outputs are logits."""

import inspect
from collections.abc import Mapping

import keras

# Losses of probabilities that have no argument `from_logits`.
_OF_PROBABILITIES = (
    "categorical_generalized_cross_entropy", "dice", "kl_divergence", "tversky",
)  # fmt: skip


@keras.saving.register_keras_serializable(package="mbm_keras.tasks.model")
class TaskModel(keras.Model):
    """A functional model whose `compile` refuses losses that cannot learn.

    `"categorical_crossentropy"`, by name, takes outputs for probabilities. Of logits it
    would compute a number, train, and learn nothing.
    """

    def compile(self, optimizer="rmsprop", loss=None, *args, **kwargs):
        """Configures training, see `keras.Model.compile`.

        Raises:
            ValueError: If a loss takes probabilities, and its output is logits.
        """
        _check_losses(self, loss)
        super().compile(optimizer, loss, *args, **kwargs)

    def compile_from_config(self, config):
        """Compiles with what `get_compile_config` returned."""
        # Keras would not call a `compile` that is not its own.
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_variables)


def output_activation(model: keras.Model, name: str) -> str | None:
    """The activation of the last layer of an output.

    Args:
        model: A functional model with a dict of outputs.
        name: Name of the output.

    Returns:
        Its name in Keras: `"softmax"` or `"sigmoid"` for probabilities, `"linear"` for
        logits; None for a layer without an activation, such as one that rescales.
    """
    layer = model.output[name]._keras_history.operation
    if type(layer) is keras.layers.Identity:
        return "linear"
    activation = getattr(layer, "activation", None)
    return getattr(activation, "__name__", None)


def _check_losses(model, loss):
    outputs = model.output if isinstance(model.output, Mapping) else {}
    if isinstance(loss, Mapping):
        losses = loss
    elif isinstance(loss, (list, tuple)):
        losses = dict(zip(outputs, loss, strict=False))
    else:
        losses = dict.fromkeys(outputs, loss)
    for name, each in losses.items():
        is_linear = name in outputs and output_activation(model, name) == "linear"
        if is_linear and _takes_probabilities(each):
            raise ValueError(
                f"Expected a loss of logits for the output {name!r}: `task.loss()`, or "
                "one of Keras with from_logits=True. For probabilities, build the "
                "model with a task that has an activation, such as `Classification("
                '4, activation="softmax")`. '
                f"Received: loss={_describe(each)}, which takes probabilities."
            )


def _takes_probabilities(loss):
    try:
        loss = keras.losses.get(loss)
    except ValueError:
        return False  # Keras says what is wrong with it
    if hasattr(loss, "from_logits"):
        return not loss.from_logits
    if getattr(loss, "name", getattr(loss, "__name__", None)) in _OF_PROBABILITIES:
        return True
    is_of_keras = getattr(loss, "__module__", "").startswith("keras.")
    if not is_of_keras or not inspect.isfunction(loss):
        return False
    return "from_logits" in inspect.signature(loss).parameters


def _describe(loss):
    return repr(loss) if isinstance(loss, str) else getattr(loss, "name", loss)
