"""From a table to a plan, and from a plan to the objects it names."""

from mbm_keras.auto.plan import InputPlan
from mbm_keras.auto.plan import Plan

__all__ = ["InputPlan", "Plan"]
