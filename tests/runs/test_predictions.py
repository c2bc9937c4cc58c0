"""What a table of predictions has, and what it is called."""

import signal

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from data_pipelines import workers
from data_pipelines.ray_workers import Ray
from mbm_keras import runs
from mbm_keras.runs import answer_parts
from mbm_keras.runs import parts
from mbm_keras.runs.answers import Names
from mbm_keras.runs.answers import choose_kept
from mbm_keras.runs.answers import to_csv
from mbm_keras.runs.predict import answer_rows
from tests.cli.run import mbm
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


def test_where_no_row_has_an_answer_its_column_is_there(noted):
    rows, run = noted
    empty = [dict.fromkeys(rows[0], None)] * 2
    frame = run.predict([{**row, "text": "", "city": ""} for row in empty])
    assert frame["answer"].to_list() == [None, None]


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


@pytest.fixture
def written(noted, tmp_path):
    """The rows as a file of which two lines are broken, the run, and a call on them."""
    rows, run = noted
    pl.DataFrame(rows).with_columns(id=pl.lit("a")).write_csv(tmp_path / "rows.csv")

    def write(out, **options):
        options = {"keep": "all", **options}
        return runs.write_predictions(
            run, tmp_path / "rows.csv", tmp_path / out, **options
        )

    return tmp_path, run, write


def assert_same_answers(path, other):
    """The last digit depends on the size of a batch."""
    one, two = (pl.read_csv(name, infer_schema_length=None) for name in (path, other))
    assert_frame_equal(one, two, abs_tol=1e-5)


def test_parts_together_are_what_all_rows_are_at_once(written):
    folder, _, write = written
    whole, in_parts = write("whole.csv"), write("parts.csv", part_rows=9)
    assert (whole["parts"], in_parts["parts"]) == (1, 9)  # of nine rows, one of eight
    assert_same_answers(folder / "parts.csv", folder / "whole.csv")
    same = ("rows", "answered", "unanswered", "values", "notes", "columns")
    assert [whole[name] for name in same] == [in_parts[name] for name in same]
    assert not (folder / "parts.csv.parts").exists()


def test_an_interrupted_call_continues_with_its_parts(written, monkeypatch):
    folder, _, write = written
    whole, answered = write("whole.csv"), []

    def fail_at_the_third(run, table, **options):
        answered.append(len(table.rows))
        if len(answered) == 3:
            raise OSError("No space left on device")
        return answer_rows(run, table, **options)

    monkeypatch.setattr(answer_parts, "answer_rows", fail_at_the_third)
    with pytest.raises(OSError, match="No space"):
        write("out.csv", part_rows=20)
    assert not (folder / "out.csv").exists()
    with pytest.raises(ValueError, match="the options changed since"):
        write("out.csv", part_rows=30)
    result = write("out.csv", part_rows=20)
    assert len(answered) == 3 + 2  # parts 3 and 4 of 4
    assert result["answered"] == whole["answered"]
    assert_same_answers(folder / "out.csv", folder / "whole.csv")


def test_parts_of_a_table_that_changed_are_refused(written, monkeypatch):
    folder, _, write = written
    monkeypatch.setattr(answer_parts, "_join", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write("out.csv", part_rows=40)
    text = (folder / "rows.csv").read_text()
    (folder / "rows.csv").write_text(text.replace("Oslo", "Bonn"))
    with pytest.raises(ValueError, match="out.csv.parts.*the table changed since"):
        write("out.csv", part_rows=40)


def test_a_part_without_any_answer_has_all_columns(written, monkeypatch):
    folder, _, write = written
    whole = write("whole.csv")

    def lose_answers(run, table, **options):
        frame, values = answer_rows(run, table, **options)
        if 1 in table.rows:
            frame = frame.drop("answer", "probability_2", "probability_no")
        return frame, values

    monkeypatch.setattr(answer_parts, "answer_rows", lose_answers)
    result = write("out.csv", part_rows=10)
    assert result["answered"] == whole["answered"] - 10 == 70
    read, expected = (pl.read_csv(folder / n) for n in ("out.csv", "whole.csv"))
    assert read.columns == expected.columns
    assert read["answer"].null_count() == 10
    assert read["text"].equals(expected["text"])


@pytest.mark.slow
def test_ray_gives_the_same_file_as_one_process(written):
    pytest.importorskip("ray", reason="pip install 'mbm-keras[ray]'")
    folder, _, write = written
    write("one.csv", part_rows=20)
    result = write("ray.csv", part_rows=20, workers=Ray(2))
    assert (result["rows"], result["parts"]) == (80, 4)
    assert (folder / "ray.csv").read_bytes() == (folder / "one.csv").read_bytes()


def test_rows_that_a_part_lost_are_an_error(written, monkeypatch):
    _, _, write = written
    take = parts.take_rows
    monkeypatch.setattr(parts, "take_rows", lambda table, rows: take(table, rows[1:]))
    with pytest.raises(ValueError, match="Expected the 80 rows.*Received: 76"):
        write("out.csv", part_rows=20)


def test_an_address_is_for_ray_alone(noted, tmp_path):
    options = ["--out", "p.csv", "--address", "10.0.0.1:6379"]
    result = mbm("predict", noted[1].folder, "rows.csv", *options, cwd=tmp_path)
    assert result.returncode == 2 and "--engine ray" in result.stderr


@pytest.mark.slow
def test_workers_lose_nothing_when_one_is_killed(written, monkeypatch):
    folder, _, write = written
    write("whole.csv")
    give, given = workers._Workers._give, []

    def kill_the_first(self, connection, process):
        give(self, connection, process)
        if process not in given:
            given.append(process)
        if process is given[0]:
            process.kill()

    monkeypatch.setattr(workers._Workers, "_give", kill_the_first)
    result = write("out.csv", part_rows=10, workers=2)
    assert given[0].exitcode == -signal.SIGKILL and len(given) == 3
    assert result["parts"] == 8
    assert_same_answers(folder / "out.csv", folder / "whole.csv")
