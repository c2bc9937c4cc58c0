"""Parts on a real Ray of this machine: killed workers, no workers, no answer."""

import importlib.util
import os
import pathlib
import re
import socket

import pytest

from data_pipelines import ray_workers
from data_pipelines import sources
from data_pipelines.ray_workers import Ray
from data_pipelines.tables.pack import pack
from data_pipelines.workers import share
from tests.data_pipelines.doubling import begin
from tests.helpers import image_bytes

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None,
    reason="Ray is not installed: pip install 'mbm-keras[ray]'",
)


@pytest.fixture(scope="module")
def ray():
    """A Ray with two processors, for all tests of this file."""
    with ray_workers._connect(Ray(2)) as ray:
        yield ray


def run(folder, parts=range(5), workers=2, seconds=60, **options):
    """Results by part, and the processes that gave them."""
    results, processes = {}, set()

    def done(part, result):
        assert part not in results
        results[part] = result[0]
        processes.add(result[1])

    ray = Ray(workers, seconds=seconds)
    share(
        parts,
        lambda part: 10 * part,
        begin,
        (folder,),
        workers=ray,
        done=done,
        **options,
    )
    return results, processes


@needs_ray
@pytest.mark.slow
def test_a_killed_worker_loses_nothing(ray, tmp_path):
    for part in (0, 3):
        (tmp_path / f"kill-{part}").touch()
    results, processes = run(tmp_path)
    assert results == {i: 20 * i for i in range(5)}
    assert os.getpid() not in processes
    assert not list(tmp_path.iterdir())


@needs_ray
@pytest.mark.slow
def test_what_ends_every_worker_is_given_up_and_named(ray, tmp_path):
    (tmp_path / "fatal-1").touch()
    with pytest.raises(ValueError, match=r"ended in part 1, and so was the next one"):
        run(tmp_path, range(2))
    (tmp_path / "fatal").touch()
    with pytest.raises(ValueError, match=r"ended before it began, and so was"):
        run(tmp_path, range(2))


@needs_ray
@pytest.mark.slow
def test_the_error_of_a_part_is_raised_with_its_node(ray, tmp_path):
    (tmp_path / "wrong-1").touch()
    with pytest.raises(ValueError, match="^part 1 cannot be done .On the node"):
        run(tmp_path, range(2))


@needs_ray
@pytest.mark.slow
def test_a_cluster_without_a_free_processor_is_an_error_after_a_time(ray, tmp_path):
    hog = ray.remote(num_cpus=2)(_Hog).remote()
    ray.get(hog.ready.remote())
    with pytest.raises(ValueError, match="no worker within 1 s.*of 2 on 1 nodes, 0 "):
        run(tmp_path, seconds=1)
    ray.kill(hog)


@needs_ray
@pytest.mark.slow
def test_a_node_with_other_files_or_packages_is_an_error(ray, tmp_path, monkeypatch):
    file = tmp_path / "state.json"
    file.write_text("a")
    monkeypatch.setattr(ray_workers, "_stamp", lambda path: (1, 2))
    with pytest.raises(ValueError, match=f"`{re.escape(str(file))}`.*all nodes see"):
        run(tmp_path, seen=[file])
    monkeypatch.undo()
    monkeypatch.setattr(ray_workers, "_versions", lambda: {"numpy": "0.1"})
    with pytest.raises(ValueError, match="{'numpy': '0.1'}. Received: {'numpy': '"):
        run(tmp_path)


@needs_ray
@pytest.mark.slow
def test_shards_of_ray_are_those_of_one_process(ray, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = ["photo,kind"]
    for i in range(12):
        pathlib.Path(f"{i}.png").write_bytes(image_bytes(seed=i))
        lines.append(f"{i}.png,{'ab'[i % 2]}")
    pathlib.Path("rows.csv").write_text("\n".join(lines) + "\n")
    table = sources.open_table("rows.csv")
    pack(table, "one", kind="tar", shard_bytes=2_000)
    pack(table, "two", kind="tar", shard_bytes=2_000, workers=Ray(2))
    one, two = (
        {path.name: path.read_bytes() for path in pathlib.Path(name).iterdir()}
        for name in ("one", "two")
    )
    assert one == two and len(one) > 4


@needs_ray
@pytest.mark.slow
def test_a_node_that_sees_other_files_of_the_table_is_an_error(
    ray, tmp_path, monkeypatch
):
    (tmp_path / "a.png").write_bytes(image_bytes())
    (tmp_path / "rows.csv").write_text("photo,kind\na.png,a\n")
    table = sources.open_table(tmp_path / "rows.csv")
    monkeypatch.setattr(
        "data_pipelines.tables.fingerprint.hash_stamps", lambda *_: "other"
    )
    with pytest.raises(ValueError, match="the files of the table as the machine"):
        pack(table, tmp_path / "out", kind="tar", workers=Ray(1))


class _Hog:
    def ready(self):
        return True


@needs_ray
@pytest.mark.parametrize("address", ["auto", "ray://a:1", "a b:1", "host", "host:port"])
def test_an_address_is_host_and_port(address):
    with pytest.raises(ValueError, match="HOST:PORT"):
        Ray(2, address)


@needs_ray
def test_an_address_at_which_nothing_listens_is_an_error(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(ValueError, match=f"Ray cluster at {address}.*refused"):
        ray_workers._check_answers(address)


@needs_ray
@pytest.mark.slow
def test_a_server_that_is_not_ray_is_an_error_after_a_time(monkeypatch):
    monkeypatch.setattr(ray_workers, "_JOIN", 2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(ValueError, match="did not answer as Ray does within 2 s"):
            ray_workers._check_answers(address)


def test_without_ray_the_command_to_install_it_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'mbm-keras\[ray\]'"):
        Ray(2)
