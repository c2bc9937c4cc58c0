"""HTTP over a SavedModel: an API, a page, and figures for a monitor.

It imports nothing of this package and no model code: the SavedModel that `mbm export`
wrote has its preprocessing in the graph, so the server needs TensorFlow alone. FastAPI
and uvicorn are the extra `[serve]`.
"""

from mbm_keras.serving.app import create_app
from mbm_keras.serving.limits import Limits
from mbm_keras.serving.run import serve
from mbm_keras.serving.served import Served

__all__ = ["Limits", "Served", "create_app", "serve"]
