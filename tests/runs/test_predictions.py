"""What a table of predictions has, and what it is called."""

import polars as pl
import pytest

from mbm_keras import runs
from mbm_keras.runs.answers import Names
from mbm_keras.runs.answers import choose_kept
from mbm_keras.runs.answers import to_csv
from tests.cli.run import ok


def test_an_identifier_is_kept_without_being_asked_for(noted):
    rows, run = noted
    frame = run.predict(rows[:4])
    assert frame["id"].to_list() == [row["id"] for row in rows[:4]]
    assert "city" not in frame.columns


def test_columns_of_ours_do_not_take_the_names_of_the_table(noted):
    rows, run = noted
    frame = run.predict(rows[:3], keep=["row", "note", "probability"])
    assert frame["row"].to_list() == ["mine 0", "mine 1", "mine 2"]
    assert frame["note"].to_list() == ["seen by 0", "seen by 1", "seen by 2"]
    assert frame["probability"].to_list() == ["same"] * 3
    assert frame["row_2"].to_list() == [1, 2, 3]
    assert frame["probability_2"].max() <= 1 and "cut" in frame["note_2"][0]


def test_all_columns_are_kept_and_the_given_answer_is_next_to_ours(noted):
    rows, run = noted
    frame = run.predict(rows[:3], keep="all")
    assert {*rows[0]} < {*frame.columns}
    assert frame["answer_given"].to_list() == ["yes", "$^$", "no"]
    assert frame["answer"].null_count() == 0


def test_none_is_kept(noted):
    rows, run = noted
    assert run.predict(rows[:2], keep="none").columns[:2] == ["row_2", "answer"]


def test_a_column_that_is_not_there_is_an_error(noted):
    rows, run = noted
    with pytest.raises(ValueError, match="to keep.*Received: .'nme'"):
        run.predict(rows[:2], keep="id,nme")


def test_every_label_has_its_probability(noted):
    rows, run = noted
    frame = run.predict(rows[:5])
    labels = ["$^$", "no", "yes"]
    shares = frame.select(f"probability_{label}" for label in labels)
    assert shares.sum_horizontal().to_list() == pytest.approx([1] * 5, abs=1e-5)
    best = [labels[max(range(3), key=row.__getitem__)] for row in shares.iter_rows()]
    assert frame["answer"].to_list() == best
    frame = run.predict(rows[:5], probabilities=False)
    assert not [name for name in frame.columns if name.startswith("probability_$")]


def test_what_is_cut_and_unknown_is_in_the_note_of_its_row(noted):
    rows, run = noted
    changed = [{**rows[1], "city": "Paris"}, {**rows[8], "city": "Rome"}, rows[9]]
    frame = run.predict(changed)
    assert "unknown category 'Paris'" in frame["note_2"][0]
    assert frame["note_2"][1] == "text: longer than 5 words, the end is cut"
    assert frame["note_2"][2] is None


def test_the_file_says_what_was_left_out_cut_and_unknown(noted, tmp_path):
    rows, run = noted
    changed = [{**row, "city": "Paris", "new": 1} for row in rows[:16]]
    result = runs.write_predictions(run, changed, tmp_path / "p.csv")
    assert result["values"]["city"] == {"rows": 16, "unknown": 16}
    assert result["values"]["text"] == {"rows": 16, "cut": 2, "limit": "5 words"}
    assert result["left_out"]["new"] == "the run was trained without it"
    assert result["left_out"]["answer"] == "it is the target"
    assert any("longer than 5 words" in note for note in result["notes"])
    assert len(pl.read_csv(tmp_path / "p.csv")) == 16


def test_the_command_keeps_the_columns_asked_for(noted, tmp_path):
    rows, run = noted
    pl.DataFrame(rows[:6]).write_csv(tmp_path / "new.csv")
    options = ["--keep", "city,id", "--keep", "note", "--no-probabilities"]
    ok("predict", run.folder, "new.csv", "--out", "p.csv", *options, cwd=tmp_path)
    columns = pl.read_csv(tmp_path / "p.csv").columns
    assert columns[:5] == ["row_2", "city", "id", "note", "answer"]
    assert len([name for name in columns if name.startswith("probability")]) == 1


def test_a_name_that_is_added_is_free():
    names = Names(["row", "row_2", "label"])
    assert [names("row"), names("row"), names("note")] == ["row_3", "row_4", "note"]


@pytest.mark.parametrize(
    "name, is_id",
    [
        *(
            (name, True)
            for name in ("id", "Id", "PassengerId", "row id", "uuid", "d-id")
        ),
        *((name, False) for name in ("valid", "paid", "idea", "android", "Euclid")),
    ],
)
def test_a_column_is_an_identifier_by_its_name(name, is_id, noted):
    saved = noted[1].saved
    table = type("Table", (), {"frame": pl.DataFrame({name: [1, 1]})})
    table.source_column = staticmethod(lambda name: name)
    assert choose_kept(table, saved, {}, None) == [name] * is_id


def test_cells_of_every_type_are_written():
    cells = {"b": [b"\x00\x01", None], "l": [["a"], []], "s": [{"x": 1}, {"x": 2}]}
    lines = to_csv(pl.DataFrame(cells)).write_csv().splitlines()
    assert lines[1:] == ['2 bytes,"[""a""]","{""x"": 1}"', ',[],"{""x"": 2}"']
