"""What one contender's process gets: a folder, a GitHub and a mail server of its own, and a clean environment.

    with scene.fresh(sink_url) as place:
        figures = place.run("hotpath.py", contender="four", figure="repeat")
        place.issues, place.requests, place.mails, place.counted()

GitHub and the mail server are the tests' stand-ins and run in this process, so they are in another one than
the contender. What a script's child is asked for and what it answers goes as JSON.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from peers import Place

ROOT = Path(__file__).resolve().parent.parent
REPO = "acme/shop"
_SETTINGS = ("GITHUB_", "GH_TOKEN", "LOGHUB_", "ERROR_REPORTING_", "SENTRY_", "ROLLBAR_", "BUGSNAG_", "HONEYBADGER_")


class Scene:
    """The surroundings of one process.

    Attributes:
        place: Where the contender writes and sends.
    """

    def __init__(self, place, github, smtp):
        self.place = place
        self._github = github
        self._smtp = smtp

    def run(self, script, **task):
        """Run a script's child on `task`; return its answer."""
        command = [sys.executable, str(ROOT / "benchmarks" / script), "--child", json.dumps([self.place, task])]
        done = self._process(command)
        if done.returncode:
            raise SystemExit(f"{task} failed:\n{done.stderr}")
        if done.stderr.strip():
            print(f"{task} said: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return json.loads(done.stdout.splitlines()[-1])

    def drain(self, seconds):
        """Deliver what waits, with the contender's own logging.yaml, as a person would."""
        config = f"{self.place.folder}/logging.yaml"
        drain = [sys.executable, "-m", "loghub", "drain", "--config", config, "--timeout", str(seconds)]
        self._process(drain)

    def _process(self, command):
        env = clean_environment(self.place.folder)
        return subprocess.run(command, env=env, cwd=self.place.folder, capture_output=True, text=True, check=False)

    @property
    def requests(self):
        """How many requests GitHub got."""
        return len(self._github.requests)

    @property
    def issues(self):
        """How many issues there are."""
        return len(self._github.issues(REPO))

    @property
    def mails(self):
        """How many mails were sent."""
        return len(self._smtp.mails)

    def counted(self):
        """Return what the ledger counted, with what dead processes left: `counted`, `bugs`, `dropped`."""
        from loghub import history

        home = history.open_home(f"{self.place.folder}/home", None)
        try:
            totals = home.ledger().totals()
            counted = history.statistics(home.ledger())["total_errors"]
            return {"counted": counted, "bugs": totals["groups"], "dropped": totals["dropped"] + totals["torn"]}
        finally:
            home.close(1.0)


def clean_environment(folder):
    """Return the environment without settings of loghub, of its peers, and of proxies."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_SETTINGS) and not name.lower().endswith("_proxy")
    }
    return kept | {"HOME": folder, "XDG_STATE_HOME": f"{folder}/state", "PYTHONPATH": str(ROOT)}


@contextlib.contextmanager
def fresh(sink="http://127.0.0.1:9"):
    """Yield a scene that nobody was in before."""
    sys.path.insert(0, str(ROOT))
    # Not at the top: the child imports this module, too, and must have nothing but what its contender needs.
    from tests.fakes.github import FakeGitHub
    from tests.fakes.smtp import FakeSMTP

    with tempfile.TemporaryDirectory() as folder, FakeGitHub(REPO) as github, FakeSMTP() as smtp:
        yield Scene(Place(folder, github.url, f"127.0.0.1:{smtp.port}", sink), github, smtp)


def asked():
    """Return the place and the task if this process is the child, else None."""
    if sys.argv[1:2] != ["--child"]:
        return None
    place, task = json.loads(sys.argv[2])
    return Place(*place), task
