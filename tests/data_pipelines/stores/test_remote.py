"""Tables at an address and the files that their cells name: what is read, and when."""

import contextlib
import functools
import gzip
import http.server
import io
import threading
import time

import pytest

from data_pipelines import sources
from data_pipelines import stores
from data_pipelines.stores import redirects
from data_pipelines.stores import remote
from data_pipelines.stores.addresses import Addresses
from data_pipelines.stores.paths import Paths
from tests.helpers import image_bytes

fsspec = pytest.importorskip("fsspec")
ROOT = "memory://bucket/data"


@pytest.fixture
def bucket():
    """A table with photos in memory, and a file next to its folder."""
    files = fsspec.filesystem("memory")
    lines = ["photo,kind"]
    for i in range(4):
        files.pipe(f"/bucket/data/photos/{i}.png", image_bytes(seed=i))
        lines.append(f"photos/{i}.png,{'ab'[i % 2]}")
    files.pipe("/bucket/data/rows.csv", "\n".join(lines).encode())
    files.pipe("/bucket/other.png", image_bytes(seed=9))
    files.pipe("/bucket/data/empty.png", b"")
    yield f"{ROOT}/rows.csv"
    files.rm("/bucket", recursive=True)


def test_a_table_and_its_files_are_read(bucket):
    table = sources.open_table(bucket, target="kind")
    assert table.columns == {"photo": "image"} and len(table.rows) == 4
    cells, reasons = table.read_cells("photo", table.raw("photo"))
    assert cells == [image_bytes(seed=i) for i in range(4)] and not reasons


@pytest.mark.parametrize("suffix", ["parquet", "csv.gz"])
def test_every_format_is_read(bucket, suffix, tmp_path):
    frame = sources.open_table(bucket).frame
    if suffix == "parquet":
        frame.write_parquet(tmp_path / "rows")
    else:
        (tmp_path / "rows").write_bytes(gzip.compress(frame.write_csv().encode()))
    files = fsspec.filesystem("memory")
    files.pipe(f"/bucket/data/b.{suffix}", (tmp_path / "rows").read_bytes())
    again = sources.open_table(f"{ROOT}/b.{suffix}")
    assert again.frame.equals(frame)


@pytest.mark.parametrize(
    "cell, reason",
    [
        ("../other.png", "the address leaves the table's folder"),
        ("memory://bucket/other.png", "the address leaves the table's folder"),
        (f"{ROOT}-not/a.png", "the address leaves the table's folder"),
        ("%2e%2e/other.png", "the address leaves the table's folder"),
        ("a/%252e%252e/%252e%252e/other.png", "the address leaves the table's folder"),
        ("https://a.b/c.png", "the address leaves the table's folder"),
        ("/etc/passwd", "files of this machine are not read"),
        ("~/a.png", "files of this machine are not read"),
        ("C:\\a.png", "files of this machine are not read"),
        ("file:///etc/passwd", "addresses of this kind are not opened"),
        ("zip://a::file:///etc/a.zip", "addresses of this kind are not opened"),
        ("data:image/png;base64,AAAA", "addresses of this kind are not opened"),
        ("no.png", "there is no such file"),
        ("empty.png", "the file is empty"),
    ],
)
def test_what_a_cell_may_not_name(bucket, cell, reason):
    with pytest.raises(stores.Unreadable, match=reason):
        Addresses(ROOT).get("photo", cell)


@pytest.mark.parametrize("cell", ["/etc/passwd", "file:///etc/passwd", "local:///a"])
def test_a_file_of_this_machine_is_not_read_outside_either(bucket, cell):
    with pytest.raises(stores.Unreadable, match="of this machine|of this kind"):
        Addresses(ROOT, allow_outside=True).get("photo", cell)


def test_other_addresses_are_followed_where_the_user_says_so(bucket):
    store = Addresses(ROOT, allow_outside=True)
    for cell in ("../other.png", "memory://bucket/other.png"):
        assert store.get("photo", cell) == image_bytes(seed=9)


def test_a_table_on_the_disk_opens_no_address(bucket, tmp_path):
    store = Paths(tmp_path, allow_outside=True)
    with pytest.raises(stores.Unreadable, match="addresses are not opened"):
        store.get("photo", f"{ROOT}/photos/0.png")


@pytest.mark.parametrize("address", ["file://host/rows.csv", "ftp://a/rows.csv"])
def test_a_table_of_another_scheme_is_refused(address):
    with pytest.raises(ValueError, match="a path without a scheme, or an address"):
        sources.open_table(address)


def test_a_table_that_is_not_there_says_so():
    with pytest.raises(ValueError, match="no such file: memory://bucket/no.csv"):
        sources.open_table("memory://bucket/no.csv")


def test_an_error_in_a_table_names_its_address(bucket):
    fsspec.filesystem("memory").pipe("/bucket/data/a.parquet", b"PAR1")
    with pytest.raises(ValueError, match="memory://bucket/data/a.parquet.* is damaged"):
        sources.open_table(f"{ROOT}/a.parquet")


def test_a_scheme_without_its_package_says_what_to_install(monkeypatch):
    def fail(_):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", fail)
    with pytest.raises(ValueError, match=r"mbm-keras\[remote\].*s3fs, to read s3://a"):
        remote.read("s3://a/b.png")


def test_a_larger_file_is_not_read(bucket):
    with pytest.raises(stores.Unreadable, match="more than 0 MB"):
        remote.read(f"{ROOT}/photos/0.png", most_bytes=10)


def test_the_stamp_changes_with_the_file(bucket):
    store, files = Addresses(ROOT), fsspec.filesystem("memory")
    before = store.stamp("photo", "photos/0.png")
    assert store.stamp("photo", "photos/0.png") == before
    files.pipe("/bucket/data/photos/0.png", image_bytes(seed=5))
    assert store.stamp("photo", "photos/0.png") != before


class _Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):  # noqa: N802
        if "slow" in self.path:
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):  # the client has left
                for _ in range(40):
                    self.wfile.write(b"x")
                    time.sleep(0.1)
            return
        if not self.redirect():
            super().do_GET()

    def do_HEAD(self):  # noqa: N802
        if not self.redirect():
            super().do_HEAD()

    def redirect(self):
        targets = {
            "/loop.png": self.path,
            "/local.png": "file:///etc/passwd",
            "/private.png": f"http://localhost:{self.server.server_port}/a.png",
        }
        if self.path not in targets:
            return False
        self.send_response(302)
        self.send_header("Location", targets[self.path])
        self.end_headers()
        return True

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    """The address of a folder that a server of this machine gives out."""
    pytest.importorskip("aiohttp")
    handler = functools.partial(_Handler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_files_are_read_over_http(server, tmp_path):
    (tmp_path / "a b#1.png").write_bytes(image_bytes())
    (tmp_path / "rows.csv").write_text("photo,kind\na b#1.png,a\nno.png,b\n")
    table = sources.open_table(f"{server}/rows.csv", target="kind")
    cells, reasons = table.read_cells("photo", table.raw("photo"))
    assert cells == [image_bytes(), b""]
    assert reasons[1].startswith("there is no such file: http://127.0.0.1")
    assert table.store.stamp("photo", "a b#1.png")


def test_a_server_that_does_not_end_is_left(server):
    began = time.time()
    with pytest.raises(stores.Unreadable, match="no answer within 0.5 s"):
        remote.read(f"{server}/slow.png", seconds=0.5)
    assert time.time() - began < 3


@pytest.mark.parametrize(
    "name, reason",
    [
        ("loop.png", "TooManyRedirects"),
        ("local.png", "NonHttpUrlRedirect.*file:///etc/passwd"),
        ("private.png", "127.0.0.1 redirects to the private http://localhost"),
    ],
)
def test_redirects_end_and_lead_nowhere_else(server, monkeypatch, name, reason):
    monkeypatch.setattr(redirects, "_is_private", lambda host: host == "localhost")
    with pytest.raises(stores.Unreadable, match=f"{reason}.*: http.*{name}"):
        remote.read(f"{server}/{name}")


@pytest.mark.parametrize(
    "host, is_private",
    [("127.0.0.1", True), ("10.0.0.1", True), ("169.254.169.254", True), ("::1", True),
     ("8.8.8.8", False)],
)  # fmt: skip
def test_addresses_of_the_internet_are_not_private(host, is_private):
    assert redirects._is_private(host) == is_private


def test_a_connection_that_broke_begins_again(bucket, tmp_path, monkeypatch):
    parts, opened = [b"abc", b"def"], []

    class Source(io.BytesIO):
        def read(self, _):
            if not opened[-1] and len(opened) == 1:
                raise OSError("the connection broke")
            return opened[-1].pop(0) if opened[-1] else b""

    class System:
        def open(self, *_):
            opened.append(parts[:1] if not opened else parts[:])
            return Source()

    monkeypatch.setattr(remote, "_open_system", lambda _: (System(), ""))
    remote.download("https://a.b/rows.csv", tmp_path / "rows.csv")
    assert (tmp_path / "rows.csv").read_bytes() == b"abcdef"
