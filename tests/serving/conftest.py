"""A small model that is exported once, and clients of it."""

import pytest

from mbm_keras.export import save
from mbm_keras.models import late_fusion
from mbm_keras.preprocessing import Category
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import Label
from mbm_keras.preprocessing import LogMel
from mbm_keras.preprocessing import Number
from mbm_keras.preprocessing import Pixels
from mbm_keras.preprocessing import TableRow
from mbm_keras.preprocessing import WordIds
from mbm_keras.tasks import Classification


def export_small(path):
    """Writes a SavedModel of text, a picture, a sound and a table."""
    features = Features(
        **{"Review Text": WordIds(4, ["one", "two"])},
        photo=Pixels(16),
        voice=LogMel(8_000, 0.25, 8),
        row=TableRow({"age": Number(2.0, 1.0)}, {"city": Category(["Rome"])}),
    )
    model = late_fusion.build(
        inputs=features.inputs(), task=Classification(3, "answer"), width=8
    )
    save(model, features, path, targets={"answer": Label(["a", "b", "c"])})


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """Its folder."""
    path = tmp_path_factory.mktemp("exported") / "model"
    export_small(path)
    return path


@pytest.fixture(scope="session")
def served(exported):
    """The loaded SavedModel."""
    from mbm_keras.serving import Served

    return Served(exported)


@pytest.fixture(scope="module")
def client(served):
    """A client of an application in this process."""
    pytest.importorskip("fastapi")
    testclient = pytest.importorskip("starlette.testclient")
    from mbm_keras.serving import Limits
    from mbm_keras.serving import create_app

    limits = Limits(request_bytes=200_000, rows=8, body_seconds=2.0)
    app = create_app(served, name="small", limits=limits)
    with testclient.TestClient(app) as client:
        yield client
