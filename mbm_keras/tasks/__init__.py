"""Tasks: a head, its losses and its metrics.

A task file has the public names `head(x, size, *, name)`, `losses(name)`,
`metrics(name)`: logits out, float32. The import is the registration.
"""

from types import ModuleType

from mbm_keras.tasks import captioning
from mbm_keras.tasks import classification
from mbm_keras.tasks import multi_label
from mbm_keras.tasks import regression

TASKS = {name: x for name, x in dict(vars()).items() if isinstance(x, ModuleType)}
