"""Reading detail files: ours, seed B's, and whatever else lies there."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loghub.detail import MAX_BYTES, PATTERN, detail_files, read_detail, write_detail
from loghub.errors import DetailFileError
from loghub.event import epoch, iso
from loghub.fingerprint import of_event

NAME = "error_20261127_030000_ValueError_12345678.json"


@pytest.fixture
def put(tmp_path):
    """Return a function that writes a file; it returns its path."""

    def written(data, name=NAME):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
        return str(path)

    return written


def test_ours(tmp_path):
    """What was written is read."""
    event = {
        "timestamp": iso(1_770_000_000.5), "error_type": "ValueError", "error_message": "bad price", "id": "a" * 32,
        "fingerprint": "v1:0123456789abcdef", "frames": [], "additional_info": {"order": 7, "price": 1.5},
    }  # fmt: skip
    path = write_detail(str(tmp_path), event, 1_770_000_000.5)
    assert {key: value for key, value in read_detail(path).items() if key in event} == event


def test_seed_b(put):
    """A file of seed B's module lacks id and fingerprint: both are made of what it says, and its time is taken."""
    said = {
        "timestamp": "2026-11-27T03:00:00.123456", "error_type": "ValueError", "error_message": "bad price",
        "module": "shop.cart", "function": "total",
        "traceback": 'Traceback (most recent call last):\n  File "/srv/shop/cart.py", line 7, in total\n    price / 0\n'
                     "ValueError: bad price\n",
        "additional_info": {"order": 7},
    }  # fmt: skip
    event = read_detail(put(said))
    assert event["fingerprint"] == of_event(said)
    assert len(event["id"]) == 32
    assert epoch(event["timestamp"]) == pytest.approx(epoch("2026-11-27T03:00:00.123Z"), abs=0.001)
    assert read_detail(put(said, NAME.replace("12345678", "2")))["id"] == event["id"]
    assert read_detail(put(said | {"error_message": "another"}))["id"] != event["id"]


def test_without_a_time(put):
    """The time comes from the file's name where the file does not say it."""
    event = read_detail(put({"error_type": "ValueError", "timestamp": "yesterday"}))
    assert event["timestamp"] == "2026-11-27T03:00:00.000Z"
    path = put({"error_type": "ValueError"}, "error_99999999_999999_X.json")
    os.utime(path, (1_770_000_000, 1_770_000_000))
    assert read_detail(path)["timestamp"] == iso(1_770_000_000)


def test_secrets(put):
    """Secrets in a file that somebody else wrote are taken out."""
    event = read_detail(put({"error_type": "ValueError", "additional_info": {"password": "hunter2hunter2"}}))
    assert "hunter2" not in json.dumps(event)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (bytes(4096), "empty"),
        (b'{"error_type": "Val', "no JSON, or cut off"),
        (b"[" * 100_000, "no JSON, or cut off"),
        (b"\xff\xfe\x00", "no JSON, or cut off"),
        (b"[1, 2]", "no error"),
        (b'"text"', "no error"),
        (b"{}", "no error"),
        (b'{"error_type": 5}', "no error"),
        (b" " * (MAX_BYTES + 1), "larger than 16 MiB"),
    ],
    ids=["empty", "zeros", "truncated", "deep", "binary", "list", "text", "nothing", "no name", "large"],
)
def test_no_detail_file(put, data, reason):
    """A file that is damaged, or something else, is refused with the reason."""
    with pytest.raises(DetailFileError, match=reason):
        read_detail(put(data))


def test_a_fifo(tmp_path):
    """A pipe that is named like a detail file is not waited for."""
    os.mkfifo(tmp_path / NAME)
    with pytest.raises(DetailFileError, match="no regular file"):
        read_detail(str(tmp_path / NAME))


@pytest.mark.parametrize(
    "time",
    [
        "9999-12-31T23:59:59-14:00",
        "9999-12-31T23:59:59.999999Z",
        "0001-01-01T00:00:00+14:00",
        "1960-01-01T00:00:00Z",
        20260101,
        None,
        [1],
    ],
)
def test_times_that_cannot_be(put, time):
    """A time that no clock has shown gives way to that of the file's name."""
    assert read_detail(put({"error_type": "X", "timestamp": time}))["timestamp"] == "2026-11-27T03:00:00.000Z"


def test_wrong_types(put):
    """What is of another type than an event has there is left out; the rest is read."""
    said = {
        "error_type": "X", "traceback": ["a", "b"], "error_message": 7, "frames": "text", "causes": [1],
        "fingerprint": ["v1"], "id": "x" * 1000, "module": "shop", "additional_info": [1],
        "exceptions": [{"error_type": 5, "frames": []}], "release": None,
    }  # fmt: skip
    event = read_detail(put(said))
    assert set(event) & set(said) == {"error_type", "module", "fingerprint", "id", "release"}
    assert event["fingerprint"].startswith("v1:")
    assert len(event["id"]) == 32


def test_unreadable(tmp_path):
    """A file that is gone, or a directory, is refused with what the system says."""
    with pytest.raises(DetailFileError, match="No such file"):
        read_detail(str(tmp_path / NAME))
    (tmp_path / NAME).mkdir()
    with pytest.raises(DetailFileError, match="directory"):
        read_detail(str(tmp_path / NAME))


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
_keys = ["timestamp", "error_type", "fingerprint", "id", "frames", "causes", "level", "release", "module", "traceback"]


@pytest.mark.slow
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(_keys) | st.text(max_size=5), _json, max_size=10))
def test_anything(put, said):
    """Whatever JSON a file holds: it is refused, or read into an event with a time, an id and a fingerprint."""
    path = put(said)
    try:
        event = read_detail(path)
    except DetailFileError:
        assert not (isinstance(said.get("error_type"), str) and said["error_type"])
        return
    assert epoch(event["timestamp"]) is not None
    assert event["id"]
    assert event["fingerprint"]


def test_names(tmp_path):
    """Only files that are named as detail files are looked at."""
    for name in (NAME, "error_20261127_030000_X.json", "notes.json", "error_1.json", f".{NAME}", f"{NAME}.tmp"):
        (tmp_path / name).write_text("{}")
    assert sorted(os.path.basename(path) for path, *_ in detail_files(str(tmp_path))) == [
        NAME, "error_20261127_030000_X.json",
    ]  # fmt: skip
    assert PATTERN.fullmatch(NAME)
