"""Requests to a small model, and everything that is wrong with them."""

import base64
import json

import pytest

from tests.helpers import image_bytes
from tests.helpers import wav_bytes

PHOTO = base64.b64encode(image_bytes()).decode()
VOICE = base64.b64encode(wav_bytes()).decode()
ROW = {
    "Review Text": "one two",
    "photo": PHOTO,
    "voice": VOICE,
    "age": 3,
    "city": "Rome",
}


def errors(answer):
    return {tuple(one["loc"]): one["msg"] for one in answer.json()["detail"]}


def test_rows_are_answered_as_the_saved_model_answers_them(client, served):
    answer = client.post("/predict", json={"rows": [ROW, {"age": None}]})
    assert answer.status_code == 200, answer.text
    full, empty = answer.json()["rows"]
    raw = (b"one two", image_bytes(), wav_bytes(), 3.0, b"Rome")
    direct = served.answer([raw])
    shares = dict(zip("abc", direct["answer_probabilities"][0], strict=True))
    given = full["answers"]["answer"]
    assert given["answer"] == direct["answer"][0].decode()
    assert given["probabilities"] == pytest.approx(shares, abs=1e-5)
    assert given["probability"] == max(given["probabilities"].values())
    assert full["answered"] and not empty["answered"]
    assert set(empty["status"].values()) == {"absent"}


def test_a_form_is_answered_as_json_is(client):
    files = {"photo": ("a.png", image_bytes()), "voice": ("a.wav", wav_bytes())}
    data = {"Review Text": "one two", "age": "3", "city": "Rome"}
    form = client.post("/predict", data=data, files=files).json()
    by_json = client.post("/predict", json=ROW).json()
    assert set(form["rows"][0]["status"].values()) == {"ok"}
    given, same = (x["rows"][0]["answers"]["answer"] for x in (form, by_json))
    assert given["probabilities"] == pytest.approx(same["probabilities"], abs=1e-5)


def test_every_wrong_field_is_named(client):
    row = {"photo": "no base64!", "age": "old", "voice": 3, "city": [1], "gone": 1}
    answer = client.post("/predict", json={"rows": [ROW, row]})
    assert answer.status_code == 422
    named = {loc[-1] for loc in errors(answer)}
    assert named == set(row)
    assert all(loc[:3] == ("body", "rows", 1) for loc in errors(answer))


@pytest.mark.parametrize("age", ["1e999", "true", "[]", "9" * 400, '"3"', "Infinity"])
def test_what_is_not_a_number_is_refused(client, age):
    headers = {"content-type": "application/json"}
    answer = client.post("/predict", content=f'{{"age": {age}}}', headers=headers)
    assert answer.status_code == 422 and ("body", "age") in errors(answer)


@pytest.mark.parametrize(
    "body, status",
    [
        (b"", 400),
        (b"{", 400),
        (b"[" * 100_000, 400),
        (b"\xff\xfe\x00", 400),
        (b"[]", 422),
        (b'{"rows": []}', 422),
        (b'{"rows": [3]}', 422),
        (b'{"city": "\\ud800"}', 422),
        (json.dumps({"rows": [{}] * 9}).encode(), 422),
        (b"x" * 200_001, 413),
    ],
)
def test_a_hostile_body_is_refused_with_a_reason(client, body, status):
    headers = {"content-type": "application/json"}
    answer = client.post("/predict", content=body, headers=headers)
    assert answer.status_code == status
    assert answer.json()["detail"][0]["msg"]


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=x"]
)
def test_a_damaged_form_is_refused(client, kind):
    answer = client.post("/predict", content=b"--y\r\n", headers={"content-type": kind})
    assert (
        answer.status_code in (400, 422)
        or answer.json()["rows"][0]["answered"] is False
    )


def test_an_address_that_there_is_not_is_an_error_of_the_same_form(client):
    answer = client.get("/nothing")
    assert answer.status_code == 404 and answer.json()["detail"][0]["type"] == "http"


def test_damaged_files_count_as_absent(client):
    photo = base64.b64encode(image_bytes()[:40]).decode()
    row = client.post("/predict", json={**ROW, "photo": photo}).json()["rows"][0]
    assert row["answered"] and row["status"]["photo"] == "corrupt"


def test_what_a_part_brings_is_the_change_without_it(client):
    row = client.post("/predict?explain=1", json=ROW).json()["rows"][0]
    brought = row["brought"]["answer"]
    assert set(brought) == {"Review Text", "photo", "voice", "row"}
    without = client.post("/predict", json={**ROW, "photo": ""}).json()["rows"][0]
    label = row["answers"]["answer"]["answer"]
    probability = row["answers"]["answer"]["probability"]
    other = without["answers"]["answer"]["probabilities"][label]
    assert brought["photo"] == pytest.approx(probability - other, abs=1e-5)


@pytest.mark.parametrize("columns", [False, True])
def test_the_convention_of_tensorflow_serving(client, columns):
    row = {"photo": {"b64": PHOTO}, "age": 3.0, "city": "Rome"}
    body = (
        {"inputs": {k: [v] for k, v in row.items()}}
        if columns
        else {"instances": [row]}
    )
    answer = client.post("/v1/models/small:predict", json=body)
    assert answer.status_code == 200, answer.text
    content = answer.json()
    given = content["outputs"] if columns else content["predictions"][0]
    own = client.post("/predict", json={**row, "photo": PHOTO}).json()["rows"][0]
    right = own["answers"]["answer"]["answer"]
    assert given["answer"] == ([right] if columns else right)
    state = client.get("/v1/models/small").json()["model_version_status"][0]
    assert state["state"] == "AVAILABLE"
    metadata = client.get("/v1/models/small/metadata").json()["metadata"]
    signature = metadata["signature_def"]["signature_def"]["serving_default"]
    assert set(row) < set(signature["inputs"])


def test_the_description_has_the_columns_of_the_model(client):
    paths = client.get("/openapi.json").json()["paths"]
    content = paths["/predict"]["post"]["requestBody"]["content"]
    columns = content["multipart/form-data"]["schema"]["properties"]
    assert set(columns) == set(ROW)
    assert columns["photo"]["format"] == "binary"
    assert columns["age"]["type"] == ["number", "null"]


def test_figures_count_requests_and_statuses(client):
    client.post("/predict", json=ROW)
    text = client.get("/metrics").text
    assert 'mbm_requests_total{path="/predict",status="200"}' in text
    assert 'mbm_inputs_total{input="photo",status="ok"}' in text
    assert "mbm_body_bytes 0\n" in text
    assert client.get("/healthz").json() == {"status": "ok"}


def test_the_page_has_a_labeled_field_per_column_and_loads_nothing_from_others(client):
    answer = client.get("/")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for name in ROW:
        assert f'data-name="{name}"' in answer.text
    assert answer.text.count("<label for=") == len(ROW)
    for page in (answer.text, *(client.get(f"/page.{x}").text for x in ("js", "css"))):
        assert "http:" not in page and "https:" not in page


def test_a_name_of_a_column_is_no_markup(served):
    import dataclasses
    import types

    from mbm_keras.serving import page

    field = dataclasses.replace(served.fields[0], name='<img src=x onerror="1">')
    text = page.render(types.SimpleNamespace(fields=[field], parts={"a": [0]}), "<b>")
    assert "<img" not in text and "<b>" not in text
