"""Files that are written whole or not at all, and folders that one process fills."""

import os
import stat
import subprocess
import sys

import pytest

from data_pipelines import files

HOSTILE = (
    "../../victim", "/etc/passwd", "a/b", "a\\b", "..", ".", "", " ", "con:", "a\0b",
    "\n", "~", "-rf", "x" * 300, "é" * 200, "日本語", "\ud800",
)  # fmt: skip


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "a.json"
    for text in ("one", "zwei ü"):
        files.write(path, text)
        assert path.read_text(encoding="utf-8") == text
    assert os.listdir(tmp_path) == ["a.json"]


def test_after_an_error_the_old_file_is_there_and_nothing_else(tmp_path):
    files.write(tmp_path / "a", b"old")
    with pytest.raises(KeyboardInterrupt), files.replace(tmp_path / "a") as new:
        new.write_bytes(b"half of")
        raise KeyboardInterrupt
    assert (tmp_path / "a").read_bytes() == b"old" and os.listdir(tmp_path) == ["a"]


def test_a_full_disk_is_an_error_and_the_old_file_is_there(tmp_path):
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        files.write(tmp_path / "full", b"x" * 100_000)
    assert os.listdir(tmp_path) == ["full"]


def test_a_link_stays_a_link_and_its_file_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "a").write_text("old")
    (tmp_path / "link").symlink_to("there/a")
    files.write(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there" / "a").read_text() == "new"


def test_a_file_keeps_its_mode_and_a_new_one_follows_the_mask(tmp_path):
    (tmp_path / "old").write_text("")
    (tmp_path / "old").chmod(0o640)
    before = os.umask(0o027)
    try:
        for name in ("old", "new"):
            files.write(tmp_path / name, "text")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / n).stat().st_mode) for n in ("old", "new")]
    assert modes == [0o640, 0o640]


def test_a_pipe_is_written_to():
    read, write = os.pipe()
    files.write(f"/dev/fd/{write}", "text")
    os.close(write)
    with open(read) as pipe:
        assert pipe.read() == "text"


def test_a_folder_that_was_removed_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no folder.*gone"):
        files.write(tmp_path / "gone" / "a", "text")


def test_a_folder_appears_when_all_its_files_are_complete(tmp_path):
    out = tmp_path / "out"
    with files.fill(out, last="z") as new:
        (new / "z").write_text("1")
        (new / "sub").mkdir()
        (new / "sub" / "a").write_text("2")
        assert files.is_unfinished(out) and files.is_empty(out)
    assert sorted(os.listdir(out)) == ["sub", "z"] and not files.is_unfinished(out)


def test_after_an_error_there_is_no_folder(tmp_path):
    with pytest.raises(ValueError, match="wrong"), files.fill(tmp_path / "out") as new:
        (new / "a").write_text("1")
        raise ValueError("wrong")
    assert os.listdir(tmp_path) == []


def test_a_folder_that_was_half_moved_is_filled_anew(tmp_path):
    """As a kill while the files are moved leaves it."""
    (tmp_path / files.UNFINISHED).mkdir()
    (tmp_path / files.UNFINISHED / "b").write_text("old")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "of before").write_text("old")
    with files.fill(tmp_path) as new:
        (new / "a").mkdir()
        (new / "b").write_text("new")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
    assert os.listdir(tmp_path / "a") == [] and (tmp_path / "b").read_text() == "new"


def test_one_process_at_a_time(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "other name").symlink_to("out")
    with files.lock(tmp_path / "out"):
        again = pytest.raises(ValueError, match="Another process is writing")
        with again, files.lock(tmp_path / "other name"):
            pass
    with files.lock(tmp_path / "out"):
        pass
    assert os.listdir(tmp_path / "out") == []


def test_a_lock_ends_with_its_process(tmp_path):
    code = (
        "import os, signal, sys\nfrom data_pipelines import files\n"
        "with files.lock(sys.argv[1]): os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", code, tmp_path])
    assert ended.returncode < 0
    with files.lock(tmp_path):
        pass


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_gives_a_file_in_the_folder(text, tmp_path):
    name = files.file_name(text)
    (tmp_path / name).write_text("")
    assert os.listdir(tmp_path) == [name] and not name.startswith((".", "-"))


def test_different_texts_give_different_files():
    names = [files.file_name(text) for text in (*HOSTILE, "a-b", "a b")]
    assert len({name.lower() for name in names}) == len(names)


def test_a_plain_name_is_kept():
    assert files.file_name("Review_2") == "Review_2"


def test_spellings_of_one_file_are_the_same(tmp_path):
    (tmp_path / "a").write_text("")
    (tmp_path / "sub").mkdir()
    os.link(tmp_path / "a", tmp_path / "b")
    assert files.is_same(tmp_path / "sub/../a", tmp_path / "b")
    assert not files.is_same(tmp_path / "a", tmp_path / "gone")
    assert not files.is_same(tmp_path / "a", [{"x": 1}])
