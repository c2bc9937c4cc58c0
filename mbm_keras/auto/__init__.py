"""From a table to a plan: which preprocessors, towers, fusion and stages, and why."""
