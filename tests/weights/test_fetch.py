"""A handle becomes a folder: out of a cache, or by a download that is asked for."""

import hashlib
import shutil
import sys
import types

import pytest

from mbm_keras.encoders import ENCODERS
from mbm_keras.weights import fetch
from mbm_keras.weights import load
from tests.encoders.checkpoints import DATA

HANDLE = "our-team/tiny-bert"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A cache of its own, and no library of the hub."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("MBM_WEIGHTS_DIR", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    return tmp_path


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_files_that_were_put_there_are_found(home):
    folder = home / "mbm_keras" / "weights" / "our-team--tiny-bert"
    shutil.copytree(DATA / "distilbert", folder)
    assert fetch(HANDLE) == folder == fetch(f"hf://{HANDLE}")
    load(fetch(HANDLE))


def test_another_folder_for_weights_can_be_named(home, monkeypatch):
    monkeypatch.setenv("MBM_WEIGHTS_DIR", str(home / "disk"))
    shutil.copytree(DATA / "distilbert", home / "disk" / "our-team--tiny-bert")
    assert fetch(HANDLE) == home / "disk" / "our-team--tiny-bert"


def fill_hub(home, branch="main"):
    """The cache of the hub: files are links to blobs that are named by their hash."""
    root = home / "huggingface" / "hub" / "models--our-team--tiny-bert"
    snapshot = root / "snapshots" / "abc"
    (root / "blobs").mkdir(parents=True)
    (root / "refs").mkdir()
    (root / "refs" / branch).write_text("abc")
    snapshot.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        blob = root / "blobs" / sha256(DATA / "distilbert" / name)
        shutil.copy(DATA / "distilbert" / name, blob)
        (snapshot / name).symlink_to(blob)
    return snapshot


def test_the_cache_of_the_hub_is_found(home):
    assert fetch_is(fill_hub(home))


def fetch_is(folder, **arguments):
    return fetch(HANDLE, **arguments) == folder


def test_a_revision_is_a_branch_or_a_commit(home):
    snapshot = fill_hub(home, branch="v2")
    assert fetch_is(snapshot, revision="v2") and fetch_is(snapshot, revision="abc")
    with pytest.raises(ValueError, match="in a cache"):
        fetch(HANDLE)


def test_a_damaged_file_of_the_hub_is_found(home):
    weights = (fill_hub(home) / "model.safetensors").resolve()
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match="damaged.*Received: sha256="):
        fetch(HANDLE)


def test_a_checksum_can_be_given(home):
    folder = home / "mbm_keras" / "weights" / "our-team--tiny-bert"
    shutil.copytree(DATA / "distilbert", folder)
    name = "model.safetensors"
    fetch(HANDLE, sha256={name: sha256(folder / name)})
    with pytest.raises(ValueError, match="Expected sha256 00"):
        fetch(HANDLE, sha256={name: "00"})


def test_checksums_of_presets_are_checked(home):
    weights = ENCODERS["bert"].PRESETS["minilm"].weights
    folder = home / "mbm_keras" / "weights" / weights.handle.replace("/", "--")
    shutil.copytree(DATA / "bert", folder)
    with pytest.raises(ValueError, match=f"Expected sha256 {weights.sha256}"):
        fetch(weights.handle)


def test_without_the_library_the_error_says_what_to_put_where(home):
    message = r"mbm-keras\[hub\].*model.safetensors.*huggingface.co/our-team/tiny-bert"
    with pytest.raises(ValueError, match=message) as error:
        fetch(HANDLE)
    folder = home / "mbm_keras" / "weights" / "our-team--tiny-bert"
    assert str(folder) in str(error.value)


def test_a_folder_without_all_shards_is_not_used(home):
    folder = home / "mbm_keras" / "weights" / "our-team--tiny-bert"
    shutil.copytree(DATA / "bert", folder)
    shutil.move(folder / "model.safetensors", folder / "model-1.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "model-1.safetensors"}}')
    assert fetch(HANDLE) == folder
    index.write_text('{"weight_map": {"a": "model-2.safetensors"}}')
    with pytest.raises(ValueError, match="in a cache"):
        fetch(HANDLE)


def install(monkeypatch, download):
    hub = types.SimpleNamespace(snapshot_download=download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)


def test_what_is_in_no_cache_is_downloaded_without_pickles(home, monkeypatch):
    asked = []

    def download(handle, revision, allow_patterns):
        asked.append((handle, revision))
        assert not any("bin" in pattern for pattern in allow_patterns)
        return str(fill_hub(home))

    install(monkeypatch, download)
    assert fetch(HANDLE).name == "abc" == fetch(HANDLE).name
    assert asked == [(HANDLE, "main")]


def test_a_download_that_fails_says_why_and_what_to_put_where(monkeypatch):
    def download(handle, revision, allow_patterns):
        raise OSError("Network is unreachable")

    install(monkeypatch, download)
    with pytest.raises(ValueError, match="Network is unreachable.*put them into"):
        fetch(HANDLE)


@pytest.mark.parametrize("handle", ["", "a/b/c", "../a", "a/..", "/tmp/a", "a b", None])
def test_what_is_not_a_handle_is_refused(handle):
    with pytest.raises(ValueError, match="organization/name.*Received"):
        fetch(handle)


def test_a_revision_that_is_a_path_is_refused():
    with pytest.raises(ValueError, match="revision='../x'"):
        fetch(HANDLE, revision="../x")
