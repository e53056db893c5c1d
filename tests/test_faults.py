"""The page of faults and promises is what the tests say, and has no empty cell."""

from __future__ import annotations

import pytest

from tests import faults


def test_page():
    """The page in the docs is what the markers say."""
    assert faults.PAGE.read_text("utf-8") == faults.page(), "the page is old: make faults"


def test_no_empty_cell():
    """Each promise has a test for each fault, or a reason why it needs none."""
    cells = faults.matrix()
    pairs = [(fault, promise) for fault in faults.FAULTS for promise in faults.PROMISES]
    assert [pair for pair in pairs if pair not in cells and not faults.reason(*pair)] == []


def test_reasons_are_needed():
    """A reason is for faults and promises that there are, and goes when each of its cells has a test."""
    cells = faults.matrix()
    for kinds, promises, why in faults.REASONS:
        pairs = {(fault, promise) for fault in kinds for promise in promises}
        assert {fault for fault, _ in pairs} <= faults.FAULTS.keys(), why
        assert {promise for _, promise in pairs} <= faults.PROMISES.keys(), why
        assert [pair for pair in pairs if pair not in cells and faults.reason(*pair) == why], why


@pytest.mark.parametrize(
    "mark",
    [
        '@pytest.mark.shows("plague", "said")',
        '@pytest.mark.shows("storm", "everything is well")',
        'pytestmark = pytest.mark.shows("storm", "said")\n',
        'class TestAll:\n    @pytest.mark.shows("storm", "said")\n    def test_b(self): pass\n',
    ],
)
def test_marker_that_says_nothing(tmp_path, monkeypatch, mark):
    """A marker that names no fault or promise, or stands where it would not be read, is an error."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text(f"{mark}\ndef test_a():\n    '''Nothing.'''\n")
    monkeypatch.setattr(faults, "ROOT", tmp_path)
    with pytest.raises(ValueError, match=r"test_a\.py"):
        faults.matrix()


def test_marker(tmp_path, monkeypatch):
    """A marker leads from the cell to the test and to what that says."""
    (tmp_path / "tests").mkdir()
    text = "@pytest.mark.shows('storm', 'said', 'bounded')\ndef test_a():\n    '''It\nholds.\n\n    Always.\n    '''\n"
    (tmp_path / "tests" / "test_a.py").write_text(text)
    monkeypatch.setattr(faults, "ROOT", tmp_path)
    shown = [faults.Shown("tests/test_a.py", "test_a", "It holds.")]
    assert faults.matrix() == {("storm", "said"): shown, ("storm", "bounded"): shown}
