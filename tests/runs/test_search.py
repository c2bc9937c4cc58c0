"""An index of files or texts, and what a search says."""

import json
import shutil

import numpy as np
import polars as pl
import pytest

import mbm_keras as mbm
from mbm_keras.runs import embed_parts
from mbm_keras.runs import parts
from mbm_keras.runs.index import open_index
from tests.cli.run import mbm as command


@pytest.fixture(scope="module")
def index(squares, tmp_path_factory):
    """An index of all photos, one of which is broken."""
    table, run = squares
    photos = tmp_path_factory.mktemp("photos")
    for i in range(12):
        (photos / ("a" if i % 2 else "b")).mkdir(exist_ok=True)
        shutil.copy(table.parent / f"{i}.png", photos / ("a" if i % 2 else "b"))
    (photos / "broken.png").write_bytes(b"no image")
    (photos / "notes.txt").write_text("no image either")
    out = photos.parent / "index"
    result = mbm.index(run, photos, out)
    assert (result["items"], result["skipped"]) == (12, 1)
    return out


def test_a_text_finds_pictures(index):
    result = mbm.search(index, "a red square", k=5)
    (one,) = result["queries"]
    scores = [item["score"] for item in one["found"]]
    assert one["by"] == "caption" and len(scores) == 5
    assert scores == sorted(scores, reverse=True)


def test_a_picture_finds_itself(index, squares):
    table, _ = squares
    queries = [str(table.parent / f"{i}.png") for i in (0, 3)]
    result = mbm.search(index, queries, k=1)
    found = [one["found"][0] for one in result["queries"]]
    assert [item["item"] for item in found] == ["b/0.png", "a/3.png"]
    assert [item["score"] for item in found] == [1.0, 1.0]


def test_the_page_holds_the_pictures(index, tmp_path):
    page = tmp_path / "found.html"
    mbm.search(index, ["a red <square>", "blue"], k=3, page=page)
    text = page.read_text()
    assert text.count("data:image/png;base64,") == 6
    assert "a red &lt;square&gt;" in text


def test_texts_of_a_table_are_indexed_too(squares, tmp_path):
    table, run = squares
    mbm.index(run, table, tmp_path / "captions", name="caption")
    photo = str(table.parent / "0.png")
    (one,) = mbm.search(tmp_path / "captions", photo, k=3)["queries"]
    assert one["by"] == "photo" and one["found"][0]["item"].startswith("a ")


def test_words_that_training_did_not_have(index):
    result = mbm.search(index, "a red zebra", k=1)
    assert "does not know 'zebra'" in result["notes"][0]
    with pytest.raises(ValueError, match="a word that training had.*'一只斑马'"):
        mbm.search(index, "一只斑马")
    with pytest.raises(ValueError, match="cannot be read: it is empty"):
        mbm.search(index, "")


def test_a_query_of_another_modality_is_an_error(index, tmp_path):
    sound = tmp_path / "bell.wav"
    sound.write_bytes(b"RIFF")
    with pytest.raises(ValueError, match=r"caption \(text\), photo \(image\).*audio"):
        mbm.search(index, str(sound))
    with pytest.raises(ValueError, match="one of .'caption', 'photo'.*by='voice'"):
        mbm.search(index, "red", by="voice")
    with pytest.raises(ValueError, match="path of a file for the input 'photo'"):
        mbm.search(index, "red", by="photo")
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    with pytest.raises(ValueError, match="broken.png' cannot be read: "):
        mbm.search(index, str(broken))


def copied(index, tmp_path):
    return shutil.copytree(index, tmp_path / "copy")


def change(index, **values):
    about = json.loads((index / "index.json").read_text())
    (index / "index.json").write_text(json.dumps({**about, **values}))


def test_an_index_of_another_model_is_an_error(index, tmp_path):
    other = copied(index, tmp_path)
    change(other, model="0" * 64)
    with pytest.raises(ValueError, match="another model than.*Create it again"):
        mbm.search(other, "red")


def test_a_run_that_moved_can_be_named(index, squares, tmp_path):
    other = copied(index, tmp_path)
    change(other, run="/gone")
    with pytest.raises(ValueError, match="`/gone`, which is not there.*--run"):
        mbm.search(other, "red")
    assert mbm.search(other, "red", run=squares[1])["queries"]


def test_an_empty_index_is_an_error(index, tmp_path):
    other = copied(index, tmp_path)
    np.save(other / "vectors.npy", np.zeros((0, 128), "float32"))
    pl.DataFrame({"item": []}, schema={"item": pl.String}).write_parquet(
        other / "items.parquet"
    )
    change(other, items=0)
    with pytest.raises(ValueError, match="is empty: there is nothing to find"):
        mbm.search(other, "red")


@pytest.mark.parametrize("name", ["vectors.npy", "items.parquet", "index.json"])
def test_a_damaged_index_is_an_error(index, tmp_path, name):
    other = copied(index, tmp_path)
    data = (other / name).read_bytes()
    (other / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match="is damaged"):
        mbm.search(other, "red")


def test_a_folder_that_is_not_an_index_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="is not an index. Create one with `mbm index"):
        mbm.search(tmp_path, "red")


def test_a_folder_without_files_of_an_input_is_an_error(squares, tmp_path):
    (tmp_path / "notes.txt").write_text("red")
    with pytest.raises(ValueError, match="files of one input.*'photo': 'image'.*none"):
        mbm.index(squares[1], tmp_path, tmp_path / "index")
    assert not (tmp_path / "index").exists()


def test_items_that_cannot_be_read_make_no_index(squares, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/a.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match="an item that can be read.*1 that cannot"):
        mbm.index(squares[1], tmp_path / "photos", tmp_path / "index")


def test_a_table_without_a_column_of_an_input_is_an_error(squares, tmp_path):
    pl.DataFrame({"words": ["a red box"]}).write_csv(tmp_path / "words.csv")
    with pytest.raises(ValueError, match="one column that is an input.*'words'"):
        mbm.index(squares[1], tmp_path / "words.csv", tmp_path / "index")
    with pytest.raises(ValueError, match="an input of the run.*'smell'"):
        mbm.index(squares[1], tmp_path, tmp_path / "index", name="smell")


def test_a_run_with_a_target_has_no_embeddings(noted, tmp_path):
    with pytest.raises(ValueError, match="train --associate`. .*target 'answer'"):
        mbm.index(noted[1], tmp_path, tmp_path / "index")


def test_a_folder_with_files_is_not_written_to(index, squares):
    with pytest.raises(ValueError, match="is not empty"):
        mbm.index(squares[1], squares[0].parent, index)


def test_the_commands_print_what_they_found(index, squares, tmp_path):
    table, run = squares
    out = tmp_path / "index"
    done = command("index", run.folder, table.parent, "--out", out)
    assert "items of photo (image)" in done.stdout
    done = command("search", out, "a red square", "-k", "2")
    assert done.stdout.startswith("a red square (caption)\n")
    assert len(done.stdout.splitlines()) == 3


def test_classifies_by_names_that_it_has_not_learned_as_labels(squares):
    _, run = squares
    table = {"photo": [str(squares[0].parent / f"{i}.png") for i in range(6)]}
    frame = run.zero_shot(
        table, ["red", "blue"], templates=["a {} square"], allow_outside=True
    )
    assert frame.columns[:4] == ["row", "item", "label", "probability"]
    sums = frame["probability_red"] + frame["probability_blue"]
    np.testing.assert_allclose(sums.to_numpy(), 1, atol=1e-6)
    assert set(frame["label"]) <= {"red", "blue"}


def test_a_label_of_unknown_words_is_an_error(squares):
    with pytest.raises(ValueError, match="a word that training had.*'qwertz'"):
        squares[1].zero_shot(squares[0].parent, ["qwertz", "red"], templates=["{}"])
    with pytest.raises(ValueError, match="one of .'caption'.*by='photo'"):
        squares[1].zero_shot(squares[0].parent, ["blue", "red"], by="photo")


def test_an_index_in_parts_is_that_of_all_items_at_once(squares, tmp_path, monkeypatch):
    table, run = squares
    with monkeypatch.context() as patch:
        patch.setattr(parts, "table_state", None)  # one part is compared with nothing
        mbm.index(run, table.parent, tmp_path / "whole")
    write, written = embed_parts.write_vectors, []

    def fail_at_the_third(*arguments):
        written.append(arguments)
        if len(written) == 3:
            raise OSError("No space left on device")
        write(*arguments)

    monkeypatch.setattr(embed_parts, "write_vectors", fail_at_the_third)
    with pytest.raises(OSError, match="No space"):
        mbm.index(run, table.parent, tmp_path / "parts", part_rows=20)
    assert not (tmp_path / "parts").exists()
    with pytest.raises(ValueError, match="an interrupted index, and the options"):
        mbm.index(run, table.parent, tmp_path / "parts", part_rows=30)
    mbm.index(run, table.parent, tmp_path / "parts", part_rows=20)
    assert len(written) == 3 + 2  # parts 3 and 4 of 4
    assert not (tmp_path / "parts.parts").exists()
    one, two = (open_index(tmp_path / name) for name in ("whole", "parts"))
    assert one.items == two.items
    np.testing.assert_allclose(one.vectors, two.vectors, atol=1e-5)
