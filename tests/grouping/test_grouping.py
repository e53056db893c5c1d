"""How well the fingerprint groups the labelled sets, and that it never groups otherwise again."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from loghub.fingerprint import of_event
from tests.grouping import golden
from tests.grouping.generate import here
from tests.grouping.scorer import PUBLIC, REAL, load, mistakes, score
from tests.grouping.stage import PYTHONS
from tests.processes import ROOT

FLOORS = {"real": ([REAL], 0.98, 0.97), "public": ([PUBLIC], 0.98, 0.95), "both": ([REAL, PUBLIC], 0.98, 0.97)}
"""Of the precision and of the recall."""


@pytest.mark.parametrize("name", FLOORS)
def test_floor(name):
    """Of each set the fingerprint groups nearly all pairs as the labels say."""
    paths, precision, recall = FLOORS[name]
    lines = [line for path in paths for line in load(path)]
    found = score(lines, of_event)
    assert found.precision >= precision, "\n".join(mistakes(lines, of_event))
    assert found.recall >= recall, "\n".join(mistakes(lines, of_event))
    assert found.f1 >= 0.97


def test_sets_are_large():
    """There are at least 300 raised events of three Pythons, and 60 shaped after public reports."""
    real, public = load(REAL), load(PUBLIC)
    assert len(real) >= 300
    assert {line["python"] for line in real} == set(PYTHONS)
    assert len({line["source"] for line in public} - {""}) >= 60


@pytest.mark.parametrize("path", [REAL, PUBLIC])
def test_golden(path):
    """The hash of an event never changes within a version, on any Python."""
    marks = golden.read()[os.path.basename(path)]
    found = [of_event(line["event"]) for line in load(path)]
    wrong = [
        (line["bug"], line["case"]) for line, mark, was in zip(load(path), found, marks, strict=True) if mark != was
    ]
    assert not wrong


@pytest.mark.slow
@pytest.mark.skipif(here() not in PYTHONS, reason="the set was made by other Pythons")
def test_raised_again():
    """What this Python raises now has the fingerprints of the set; libraries of another version may change a few."""
    command = [sys.executable, "-m", "tests.grouping.generate", "--python"]
    environ = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    run = subprocess.run(
        command, env=environ | {"PYTHONPATH": ROOT, "PYTHONHASHSEED": "0"}, cwd=ROOT, check=True, capture_output=True
    )
    lines = load(REAL)
    again = [json.loads(line) for line in run.stdout.splitlines()]
    other = [lines[number]["case"] for number, event in again if of_event(event) != of_event(lines[number]["event"])]
    assert len(again) > 200
    assert len(other) <= len(again) // 50, other
