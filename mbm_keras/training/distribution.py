"""Training over several devices and processes, by `keras.distribution` on JAX.

Every process runs the same program. Each computes the gradients of its block of every
batch, and JAX adds them: the weights are those of one process that sees whole batches.

    with distribution.start("10.0.0.1:7000", processes=2, process=0) as together:
        with together.scope():
            model = late_fusion.build(...)
            batches = functools.partial(samples.batches, shard=together.shard)
            fit_stages(
                model,
                stages,
                functools.partial(batches, 64, shuffle=True),
                functools.partial(batches, 256),
                task=task,
                folder="run",
            )
        if together.is_first:
            model = together.localize(model, late_fusion.build(...))

Source: `keras.distribution`, https://keras.io/api/distribution/. Deviation: batches of
equal size whose padding counts for nothing, see `mbm_keras.training.equal_batches`; a
process that ends ends all others, see `mbm_keras.training.join`.
"""

import contextlib
import dataclasses
import re
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from mbm_keras.training import join
from mbm_keras.training.peers import Peers


@dataclasses.dataclass(frozen=True)
class Together:
    """One process of a training, and the devices of all.

    Args:
        index: Number of this process.
        count: Number of processes.
        devices: Names of the devices of all processes.
        peers: The other processes; None if there are none.
        layout: Layout of variables by a pattern of their path, see `start`; empty for
            copies of all variables on every device.
        copies: Number of copies of the variables that have a layout.
    """

    index: int
    count: int
    devices: tuple[str, ...]
    peers: Peers | None = None
    layout: Mapping[str, tuple[str | None, ...]] = dataclasses.field(
        default_factory=dict
    )
    copies: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and reports."""
        return self.index == 0

    @property
    def shard(self) -> tuple[int, int, int]:
        """The block of every batch that this process gets, for `samples.batches`."""
        rows = self.copies if self.layout else len(self.devices)
        return self.index, self.count, max(1, rows // self.count)

    def scope(self) -> contextlib.AbstractContextManager[None]:
        """While it lasts, new variables are on all devices.

        Models are built, compiled and trained in it. What a process does alone, such as
        predicting, is outside: see `localize`.
        """
        return _distribute(self._distribution())

    def alone(self) -> contextlib.AbstractContextManager[None]:
        """While it lasts, new variables are on this process alone."""
        return _distribute(None)

    def localize(self, model: keras.Model, fresh: keras.Model) -> keras.Model:
        """The weights of a trained model, in a model that this process uses alone.

        Args:
            model: The trained model.
            fresh: The same model, built outside of `scope`.

        Returns:
            `fresh`.
        """
        fresh.set_weights([to_numpy(weight) for weight in model.weights])
        return fresh

    def check_layout(self, model: keras.Model) -> None:
        """Checks that the layout is that of a model.

        Args:
            model: A model.

        Raises:
            ValueError: If a pattern is not the path of any variable, which then would
                be whole on every device.
        """
        paths = [weight.path for weight in model.weights]
        unused = [
            pattern
            for pattern in self.layout
            if not any(re.fullmatch(pattern, path) for path in paths)
        ]
        if unused:
            raise ValueError(
                "Expected patterns of the layout that match the whole path of a "
                f"variable, such as `.*query/kernel`. Received: {unused}; paths are "
                f"{paths[:3]} ..."
            )

    def agree(self, value: Any) -> Any:
        """What process 0 passes, in all processes, which wait for it.

        Args:
            value: Anything that JSON has; only that of process 0 is used.
        """
        return value if self.peers is None else self.peers.agree(value)

    def share(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """Arrays of process 0 in all processes.

        Args:
            arrays: Arrays whose number, shapes and types are the same in all.
        """
        return arrays if self.count == 1 else join.share(arrays)

    def gather(self, array: np.ndarray) -> np.ndarray:
        """The blocks of all processes, one after the other.

        Args:
            array: The block of this process, as large as those of the others.
        """
        return np.asarray(array) if self.count == 1 else join.gather(array)

    def _distribution(self):
        from keras import distribution

        if not self.layout:
            return distribution.DataParallel(
                devices=list(self.devices), auto_shard_dataset=False
            )
        shape = (self.copies, len(self.devices) // self.copies)
        mesh = distribution.DeviceMesh(shape, ("batch", "model"), list(self.devices))
        layouts = distribution.LayoutMap(mesh)
        for pattern, axes in self.layout.items():
            layouts[pattern] = axes
        return distribution.ModelParallel(
            layout_map=layouts, batch_dim_name="batch", auto_shard_dataset=False
        )


@contextlib.contextmanager
def _distribute(distribution):
    """While it lasts, new variables are where a distribution has them."""
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(distribution)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)


_current: list[Together] = []


def current() -> Together | None:
    """What `start` began; None outside of it."""
    return _current[-1] if _current else None


def is_first() -> bool:
    """Whether this process writes files: the only one, or process 0."""
    return not _current or _current[-1].is_first


@contextlib.contextmanager
def start(
    coordinator: str | None = None,
    processes: int = 1,
    process: int = 0,
    *,
    layout: Mapping[str, tuple[str | None, ...]] | None = None,
    copies: int = 1,
) -> Iterator[Together]:
    """Begins a training over all devices of this process, or of several processes.

    It comes before anything else that JAX computes. At its end the other processes wait
    until process 0 is there too. An error in a process prints its reason, ends this
    process at once and without clean-up, and within seconds all others, which name the
    one that ended.

    Args:
        coordinator: `HOST:PORT` at which process 0 listens; None for one process.
        processes: Number of processes.
        process: Number of this process, from 0.
        layout: For models that are too large for a device: the axes of the mesh by a
            pattern of the whole path of variables, such as
            `{".*query/kernel": (None, "model")}`, see `keras.distribution.LayoutMap`.
            The axes are `"batch"` and `"model"`. For one process.
        copies: How often the model is on the devices: the length of the axis
            `"batch"`. The others share its variables.

    Yields:
        A `Together`.

    Raises:
        RuntimeError: If the processes do not find each other.
        ValueError: If the backend is not JAX, or an argument is not possible.
    """
    _check(coordinator, processes, process, layout, copies)
    peers = None
    if processes > 1 and coordinator is not None:  # both, as was checked
        peers = join.connect(coordinator, processes, process)
    devices = tuple(keras.distribution.list_devices())
    if len(devices) % processes or len(devices) % copies:
        raise ValueError(
            "Expected the same number of devices in each process, and for each copy. "
            f"Received: devices={list(devices)}, processes={processes}, "
            f"copies={copies}."
        )
    together = Together(process, processes, devices, peers, dict(layout or {}), copies)
    _current.append(together)
    try:
        if peers is None:
            yield together
        else:
            with join.end_all(peers):
                yield together
                peers.agree(None)  # the others wait for process 0
    finally:
        _current.pop()


def _check(coordinator, processes, process, layout, copies):
    backend = keras.backend.backend()
    if backend != "jax":
        raise ValueError(
            "Expected the JAX backend for training over several devices: "
            "`KERAS_BACKEND=jax mbm train ...`, or the variable set before Keras is "
            "imported. `tf.distribute` is not supported: Keras fails with its inputs "
            f"of type bool, and batch statistics differ. Received: backend={backend!r}."
        )
    is_one = processes == 1 and coordinator is None
    host, _, port = (coordinator or "").rpartition(":")
    is_address = bool(host) and port.isdigit()
    if not 0 <= process < processes or not (is_one or is_address):
        raise ValueError(
            "Expected a coordinator HOST:PORT, the number of processes, and "
            "0 <= process < processes. Received: "
            f"coordinator={coordinator!r}, processes={processes}, process={process}."
        )
    if layout and processes > 1 or copies < 1:
        raise ValueError(
            "Expected a layout of variables in one process, and copies >= 1. Received: "
            f"processes={processes}, copies={copies}."
        )


def to_numpy(value: Any) -> np.ndarray:
    """A variable or tensor of all devices as an array of this process.

    Args:
        value: A `keras.Variable` or a tensor; a part of it may be on each device.
    """
    return keras.ops.convert_to_numpy(value)
