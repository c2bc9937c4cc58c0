"""What the commands do, callable from Python: train, evaluate, predict, export, ...

A function takes plain arguments, returns plain data or a `Run`, and prints nothing but
progress on standard error. Nothing heavy is imported here.
"""

from mbm_keras.runs.evaluate import evaluate
from mbm_keras.runs.export import export
from mbm_keras.runs.index import index
from mbm_keras.runs.inspect import inspect
from mbm_keras.runs.load import load
from mbm_keras.runs.pack import pack
from mbm_keras.runs.predict import predict
from mbm_keras.runs.predictions import write_predictions
from mbm_keras.runs.quickstart import quickstart
from mbm_keras.runs.run import Run
from mbm_keras.runs.search import search
from mbm_keras.runs.separate import separate
from mbm_keras.runs.serve import serve
from mbm_keras.runs.train import plan
from mbm_keras.runs.train import train
from mbm_keras.runs.transcribe import transcribe
from mbm_keras.runs.tune import tune

__all__ = [
    "Run",
    "evaluate",
    "export",
    "index",
    "inspect",
    "load",
    "pack",
    "plan",
    "predict",
    "quickstart",
    "search",
    "separate",
    "serve",
    "train",
    "transcribe",
    "tune",
    "write_predictions",
]
