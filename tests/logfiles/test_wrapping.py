"""What collectors put around lines is taken off, and tells which lines belong together."""

import json

import pytest

from loghub.event import epoch
from tests.logfiles.reading import take

TIME = "2026-11-27T03:00:00.123456789Z"
PREFIXES = {
    "compose": "web-1  | ",
    "compose with times": f"web-1  | {TIME} ",
    "docker logs -t": f"{TIME} ",
    "CRI": f"{TIME} stderr F ",
    "kubectl --prefix": "[pod/web-5d/app] ",
    "kubectl --prefix --timestamps": f"[pod/web-5d/app] {TIME} ",
    "syslog": "Nov 27 03:00:00 host shop[17]: ",
    "syslog without pid": "Nov 27 03:00:00 host shop: ",
    "journalctl -o short-iso": "2026-11-27T03:00:00+0000 host shop[17]: ",
    "RFC 5424": "<11>1 2026-11-27T03:00:00.123Z host shop 17 - - ",
}
STACK = """ERROR:shop:failed
Traceback (most recent call last):
  File "/srv/shop/pay.py", line 5, in pay
    charge()

shop.PayError: no card
"""


@pytest.mark.parametrize("name", PREFIXES)
def test_prefixes(name, tmp_path):
    """Behind any collector's prefix a traceback has the fingerprint that it has without; the prefix's time counts."""
    path = tmp_path / "some.log"
    path.write_text(STACK)
    bare = take(path)[1]
    path.write_text("".join(f"{PREFIXES[name]}{line}\n" for line in STACK.splitlines()))
    report, counts, (event,) = take(path)
    assert counts == bare
    assert (event["logger"], event["message"]) == ("shop", "failed")
    if ":00" in PREFIXES[name]:
        assert report.timeless == 0
        assert epoch(event["timestamp"]) // 1 % 60 == 0
    else:
        assert report.timeless == 1


def docker(text, stream="stderr"):
    """Return a line as Docker's json-file driver writes it."""
    return json.dumps({"log": text, "stream": stream, "time": TIME}) + "\n"


def test_docker_json(tmp_path):
    """Docker's json-file is read line by line, its streams apart; its parts of long lines are put together."""
    path = tmp_path / "container-json.log"
    lines = [f"{line}\n" for line in STACK.splitlines()]
    between = docker("INFO:shop:fine\n", "stdout")
    lines[3:4] = [lines[3][:10], lines[3][10:]]
    path.write_text("".join(docker(line) + between for line in lines))
    report, _, (event,) = take(path)
    assert (event["error_type"], event["function"], event["timestamp"]) == (
        "PayError",
        "pay",
        "2026-11-27T03:00:00.123Z",
    )
    assert (report.errors, report.timeless) == (1, 0)


def test_cri_parts(tmp_path):
    """The parts into which a node of Kubernetes cuts a long line are put together."""
    path = tmp_path / "0.log"
    path.write_text(f"{TIME} stdout P ERROR:shop:a lo\n{TIME} stderr F INFO:shop:x\n{TIME} stdout F ng line\n")
    assert [one["message"] for one in take(path)[2]] == ["a long line"]


def test_json_behind_a_prefix(tmp_path):
    """JSON lines are read behind a prefix, too; the time in the line counts."""
    line = {"levelname": "ERROR", "message": "lost", "timestamp": "2026-11-26T01:00:00Z"}
    path = tmp_path / "some.log"
    path.write_text(f"web-1  | {json.dumps(line)}\n")
    assert [one["timestamp"] for one in take(path)[2]] == ["2026-11-26T01:00:00.000Z"]


def test_pipes_of_a_format_are_no_service(tmp_path):
    """A level before a pipe is a level, and no service of compose."""
    path = tmp_path / "some.log"
    path.write_text("ERROR | shop | lost\nINFO | shop | fine\n")
    assert [(one["level"], one["message"]) for one in take(path)[2]] == [("ERROR", "lost")]
