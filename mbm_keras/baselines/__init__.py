"""Plain scikit-learn pipelines on the rows of a run: the floor under every model.

A model that does not beat them has not earned its cost. Each input alone gets the
simple pipeline that its modality is known for, and all together are stacked.
"""

from mbm_keras.baselines.baselines import Baseline
from mbm_keras.baselines.baselines import Column
from mbm_keras.baselines.baselines import fit_baselines
from mbm_keras.baselines.pipelines import describe

__all__ = ["Baseline", "Column", "describe", "fit_baselines"]
