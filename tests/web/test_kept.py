"""What the pages keep in the home."""

from __future__ import annotations

import multiprocessing
import os

import pytest

from loghub.web import create_app, kept
from tests.web.logged import post, texts


def made(home):
    """Return the key that a process of a home signs with."""
    return create_app(home, admin_password="a good one").secret_key


@pytest.mark.slow
def test_key(tmp_path):
    """All processes of a home sign with one key, also those that come later, and nobody else can read it."""
    homes = [str(tmp_path / "new" / "home"), str(tmp_path / "other")]
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        keys = pool.map(made, homes[:1] * 8 + homes[1:])
    assert len(set(keys[:8])) == 1
    assert keys[8] not in {keys[0], ""}
    assert made(homes[0]) == keys[0]
    assert os.listdir(homes[0]) == [kept.KEY]
    assert os.stat(os.path.join(homes[0], kept.KEY)).st_mode & 0o777 == 0o600


def test_given_key(tmp_path, monkeypatch):
    """A key that is given is the one, and none is kept."""
    assert create_app(str(tmp_path), admin_password="a", secret_key="given").secret_key == "given"
    monkeypatch.setenv("LOGHUB_SECRET_KEY", "of the environment")
    assert made(str(tmp_path)) == "of the environment"
    assert not (tmp_path / kept.KEY).exists()


@pytest.mark.parametrize("is_empty", [True, False])
def test_key_that_cannot_be_kept(tmp_path, monkeypatch, is_empty):
    """Where nothing can be written there are sessions all the same, as long as the process; they are signed well."""
    if is_empty:
        (tmp_path / kept.KEY).touch()  # a full disk
    monkeypatch.setattr(kept, "keep", fail)
    keys = {made(str(tmp_path)) for _ in range(2)}
    assert len(keys) == 2
    assert all(len(key) == 64 for key in keys)


def fail(*_):
    """Fail as a disk does."""
    raise OSError(28, "No space left on device")


def test_session_outlives_the_process(tmp_path):
    """Whoever is logged in stays so when the pages are started again, and at the other worker."""
    first, second = (create_app(str(tmp_path), admin_password="a good one").test_client() for _ in range(2))
    assert "Log out" in texts(post(first, "/login", name="admin", password="a good one"))
    for cookie in first._cookies.values():
        second.set_cookie(cookie.key, cookie.value)
    assert second.get("/errors").status_code == 200


def test_first_one_counts(tmp_path):
    """Of two that keep something under a name the first one does, unless it could not write it."""
    assert kept.keep(str(tmp_path), "a", "one") == "one"
    assert kept.keep(str(tmp_path), "a", "two") == "one"
    (tmp_path / "a").write_text("")
    assert kept.keep(str(tmp_path), "a", "three") == "three"
    assert os.listdir(tmp_path) == ["a"]
