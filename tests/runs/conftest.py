"""A small run with what can be said about its rows."""

import dataclasses

import pytest

import mbm_keras as mbm


def make_noted_rows():
    """Eighty rows: long texts, missing numbers, an identifier, odd names."""
    return [
        {
            "id": f"doc-{i * 37 % 1000}",
            "text": " ".join(["so"] * (12 if i % 8 == 0 else 3)) + f" {'ab'[i % 2]}",
            "age": None if i % 10 == 3 else float(i % 7),
            "city": ["Rome", "Oslo", ""][i % 3],
            "row": f"mine {i}",
            "note": f"seen by {i % 4}",
            "probability": "same",
            "answer": ["no", "$^$"][i % 2] if i else "yes",
        }
        for i in range(80)
    ]


@pytest.fixture(scope="session")
def noted(tmp_path_factory):
    """Its rows, and a run on them that balances labels, with texts of five words."""
    rows = make_noted_rows()
    plan = mbm.plan(
        rows, "answer", columns={"row": "ignore"}, epochs=1, class_weight="balanced",
        loss="focal", task="label",
    )  # fmt: skip
    text = plan.inputs["text"]
    short = type(text)(text.modality, text.columns, text.preprocessor, {"longest": 5})
    plan = dataclasses.replace(
        plan, inputs={**plan.inputs, "text": short}, width=8, unimodal_epochs=0,
        fusion_epochs=0,
    )  # fmt: skip
    out = tmp_path_factory.mktemp("noted") / "run"
    return rows, mbm.train(rows, plan=plan, out=out, verbose=0)
