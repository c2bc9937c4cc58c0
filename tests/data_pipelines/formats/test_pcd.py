"""Point clouds: every coding of a PCD gives the same rows."""

import numpy as np
import polars as pl
import pytest

from data_pipelines import decode
from data_pipelines import sources
from data_pipelines.formats import kinds
from data_pipelines.formats import pcd
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import Points

CLOUD = np.random.default_rng(0).normal(0, 20, (50, 4)).astype("<f4")
CLOUD[10:20] = CLOUD[10]  # something to compress
KITTI = Points(64)
RINGS = np.arange(50, dtype="<u2").tobytes()


def pcd_bytes(coding="binary", cloud=CLOUD, fields="x y z intensity"):
    """A PCD of a cloud, with a field of whole numbers before the others."""
    points, numbers = cloud.shape
    ring = np.arange(points, dtype="<u2")
    header = (
        "# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\n"
        f"FIELDS ring {fields}\nSIZE 2{' 4' * numbers}\nTYPE U{' F' * numbers}\n"
        f"COUNT 1{' 1' * numbers}\nWIDTH {points}\nHEIGHT 1\n"
        f"VIEWPOINT 0 0 0 1 0 0 0\nPOINTS {points}\nDATA {coding}\n"
    ).encode()
    if coding == "ascii":
        rows = zip(ring, cloud, strict=True)
        return (
            header
            + "\n".join(
                f"{r} {' '.join(map(repr, map(float, c)))}" for r, c in rows
            ).encode()
        )
    if coding == "binary":
        return header + b"".join(
            r.tobytes() + c.tobytes() for r, c in zip(ring, cloud, strict=True)
        )
    body = ring.tobytes() + cloud.T.tobytes()
    packed = pack_lzf(body)
    sizes = np.array([len(packed), len(body)], "<u4").tobytes()
    return header + sizes + packed


def pack_lzf(data):
    """A packer of its own: repeats where the last 4 bytes came before, else runs."""
    made, at, run, seen = bytearray(), 0, bytearray(), {}

    def put_run():
        if run:
            made.append(len(run) - 1)
            made.extend(run)
            run.clear()

    while at < len(data):
        key = data[at : at + 4]
        back = seen.get(key)
        if len(key) == 4:
            seen[key] = at
        if back is not None and at - back <= 8_192 and len(key) == 4:
            length = 4
            while (
                length < 264
                and data[back + length : back + length + 1]
                == data[at + length : at + length + 1]
                != b""
            ):
                length += 1
            put_run()
            offset = at - back - 1
            if length - 2 < 7:
                made.append((length - 2) << 5 | offset >> 8)
            else:
                made.append(7 << 5 | offset >> 8)
                made.append(length - 2 - 7)
            made.append(offset & 255)
            at += length
            continue
        run.append(data[at])
        at += 1
        if len(run) == 32:
            put_run()
    put_run()
    return bytes(made)


@pytest.mark.parametrize("coding", ["ascii", "binary", "binary_compressed"])
def test_every_coding_gives_the_rows(coding):
    data = pcd_bytes(coding)
    assert kinds.is_pcd(data[:64])
    if coding == "binary_compressed":
        assert len(data) < len(pcd_bytes("binary")) + 60
    assert pcd.rows(data, KITTI) == CLOUD.tobytes()
    some = pcd.rows(data, Points(64, ("z", "ring"), stride=3))
    rows = np.frombuffer(some, "<f4").reshape(-1, 3)
    np.testing.assert_array_equal(rows[:, 0], CLOUD[:, 2])
    np.testing.assert_array_equal(
        rows[:, 1:], np.stack([np.arange(50), np.zeros(50)], 1)
    )


def test_a_repeat_that_reaches_into_itself():
    assert pcd._unpack_lzf(bytes([0, 65, 7 << 5, 3, 0]), 13) == b"A" * 13


@pytest.mark.parametrize(
    "data, said",
    [
        (pcd_bytes()[:-1], "ends early: 899 of 900 bytes"),
        (pcd_bytes("binary_compressed")[:-1], "ends early|do not agree"),
        (pcd_bytes("ascii")[:-40], "not a number|numbers for 50 points"),
        (
            pcd_bytes().replace(b"POINTS 50", b"POINTS 9999999999"),
            "promises 9999999999",
        ),
        (pcd_bytes().replace(b"TYPE U", b"TYPE Q"), "header of the PCD is damaged"),
        (
            pcd_bytes().replace(b"DATA binary", b"DATA magical"),
            "unknown coding, magical",
        ),
        (pcd_bytes().replace(b"intensity", b"luminance"), "has no fields ..intensity"),
        (
            pcd_bytes().replace(b"COUNT 1 1 1 1 1", b"COUNT 0 0 0 0 0"),
            "field ring has size 2, count 0",
        ),
        (pcd_bytes().replace(b"SIZE 2", b"SIZE 3"), "field ring has size 3"),
        (pcd_bytes("ascii").replace(b"POINTS 50", b"POINTS 900000"), "ends early"),
        (pcd_bytes("ascii")[:-9] + b"one thing", "not a number"),
        (b"VERSION 0.7\n" * 500, "does not end"),
        (
            pcd_bytes("binary_compressed").replace(pack_lzf(RINGS)[:8], b"\xff" * 8),
            "PCD",
        ),
    ],
)
def test_what_is_no_whole_pcd_is_refused(data, said):
    with pytest.raises(ValueError, match=said):
        pcd.rows(data, KITTI)


def test_a_column_of_clouds(tmp_path):
    files = {
        "a.bin": CLOUD.tobytes(),
        "b.pcd": pcd_bytes("binary_compressed"),
        "c.bin": CLOUD.tobytes()[:-3],
        "d.pcd": pcd_bytes()[:-1],
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    frame = pl.DataFrame({"sweep": list(files), "answer": list("abab")})
    frame.write_csv(tmp_path / "rows.csv")
    rows = sources.open_table(tmp_path / "rows.csv", target="answer")
    assert rows.columns == {"sweep": "points"}
    samples, good, broken = decode(rows, Features(sweep=Points(60)))
    assert good.tolist() == [True, True, False, False]
    np.testing.assert_array_equal(
        samples.values["sweep"][0], samples.values["sweep"][1]
    )
    np.testing.assert_array_equal(samples.values["sweep"][0][:50], CLOUD)
    reasons = [b.reason for b in sorted(broken)]
    assert "not a whole number of rows: 797" in reasons[0]
    assert "the PCD ends early" in reasons[1]
