"""Install what `make package` has built as strangers do, and see that it works there.

    .venv/bin/python .ci/installed.py dist python3.11 python3.12 python3.13

Each Python gets the wheel in an empty virtual environment, without extras. The first one also gets the wheel with
each extra alone, and the sdist, whose tests have to find all that they read.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from concurrent.futures import ThreadPoolExecutor
from email.parser import BytesParser
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text("utf-8"))["project"]
VERSION = re.search(r'^__version__ = "(.+)"', ROOT.joinpath("loghub/__init__.py").read_text("utf-8"), re.MULTILINE)[1]
NOT_FOR_USERS = {"all", "dev", "bench", "fuzz", "mutants", "pictures", "release"}

LIGHT = """
import sys, loghub
heavy = {"requests", "smtplib", "ssl", "sqlite3", "yaml", "click", "logging.handlers", "asyncio", "multiprocessing"}
loaded = heavy & sys.modules.keys() | {name for name in sys.modules if name.startswith("loghub.")}
assert not loaded, f"import loghub loads {sorted(loaded)}"
assert "site-packages" in loghub.__file__, loghub.__file__
"""

# Without an extra a module imports, or lacks a package that only extras bring.
EACH_MODULE = """
import importlib, pkgutil, loghub
brought = {"apprise", "argon2", "cryptography", "flask", "flask_wtf", "jinja2", "jwt", "markupsafe", "psycopg",
           "structlog", "symbolic", "waitress", "werkzeug", "wtforms"}
for module in pkgutil.walk_packages(loghub.__path__, "loghub.", onerror=lambda name: None):
    try:
        module.name == "loghub.__main__" or importlib.import_module(module.name)
    except ImportError as error:
        cause = error if error.name else error.__cause__
        assert (cause.name or "").partition(".")[0] in brought, f"{module.name}: {error!r}"
for name in loghub.__all__:
    getattr(loghub, name)
"""

PRIVATE_KEY = """
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
key = generate_private_key(65537, 2048)
open("key.pem", "wb").write(
    key.private_bytes(form.Encoding.PEM, form.PrivateFormat.TraditionalOpenSSL, form.NoEncryption()))
"""

# What each extra is for, in use.
FEATURES = {
    "structlog": "import structlog, loghub.structlog; structlog.configure([loghub.structlog.report, print])",
    "web": """
from loghub.web import create_app
client = create_app(home="home", admin_password="made-up").test_client()
assert client.get("/login").status_code == 200
assert client.get("/static/js/error-reporter.js").status_code == 200
""",
    "notify": "import loghub; loghub.NotifyHandler(urls=['json://127.0.0.1:9'], home='home').close()",
    "postgres": "import loghub; loghub.JSONDetailHandler(ledger='postgresql://127.0.0.1:9/x', home='home').close()",
    "jinja": """
import loghub
open("mail.txt.j2", "w").write("{{ errors[0].type }}")
loghub.BatchingSMTPHandler(template="mail.txt.j2", home="home").close()
""",
    "app": PRIVATE_KEY + "from loghub.github.app import AppToken; AppToken('a/b', '1', 'key.pem', 1)",
    "sourcemaps": """
import sys
from loghub.browser.sourcemaps import SourceMaps
SourceMaps({"https://shop.example/": "."})
assert "symbolic" in sys.modules
""",
}

CONFIGURATION = """
version: 1
disable_existing_loggers: false
handlers:
  files: {class: loghub.JSONDetailHandler, level: ERROR, directory: errors}
  log: {class: loghub.RotatingFileHandler, filename: logs/app.log}
root: {level: INFO, handlers: [files, log]}
"""


class Place(NamedTuple):
    """A virtual environment in which one thing was installed, and an empty directory to work in."""

    folder: Path
    title: str

    def run(self, *command: str) -> str:
        """Return what a command of the environment prints; end with all of it if the command fails."""
        env = {"PATH": f"{self.folder}/venv/bin:/usr/bin:/bin", "HOME": str(self.folder), "LANG": "C.UTF-8"}
        return finished([f"{self.folder}/venv/bin/{command[0]}", *command[1:]], self.title, self.folder / "work", env)


def finished(command: list[str], title: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Return what a command prints; end with all of it if the command fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=env, timeout=300)
    if done.returncode != 0:
        raise SystemExit(f"{title}: {' '.join(command)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def starts(place: Place) -> None:
    """See that it is what was built, and imports lightly."""
    place.run("python", "-W", "error", "-c", LIGHT)
    assert VERSION in place.run("loghub", "--version").split(), place.title


def works(place: Place) -> None:
    """See that everything works that needs no extra."""
    starts(place)
    place.run("python", "-W", "error", "-c", EACH_MODULE)
    (place.folder / "work" / "logging.yaml").write_text(CONFIGURATION)
    said = place.run("loghub", "check")
    assert "ok    files:" in said, said
    assert "FAIL" not in said, said
    said = place.run("loghub", "demo", "--orders", "200", "--directory", str(place.folder / "demo"))
    assert "216 errors -> 7 bugs" in said, said


def features(place: Place) -> None:
    """See that what the extra is for works."""
    place.run("python", "-c", FEATURES[place.title.partition("[")[2].partition("]")[0]])


def tested(sdist: Path, folder: Path) -> None:
    """See that the sdist's tests can all be collected there, and that those of its files pass."""
    with tarfile.open(sdist) as file:
        file.extractall(folder, filter="data")
    (root,) = folder.iterdir()
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    finished([*pytest, "--collect-only"], "the sdist's tests", root)
    own = ["test_distribution", "test_layers", "test_logging_yaml"]
    finished([*pytest, *(f"tests/{name}.py" for name in own)], "the sdist's tests", root)
    print("== the sdist's tests: complete", flush=True)


def tried(see: Callable[[Place], None], folder: Path, python: str, what: str) -> None:
    """Install something with one Python, and see to it there."""
    place = Place(folder, f"{Path(what).name} with {python}")
    folder.joinpath("work").mkdir(parents=True)
    finished([python, "-m", "venv", "--without-pip", str(folder / "venv")], place.title, folder)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python"]
    finished([*pip, str(folder / "venv/bin/python"), "install", "--no-compile", what], place.title, folder)
    see(place)
    print(f"== {place.title}: {see.__name__}", flush=True)


def main() -> None:
    """See to it all; the first that fails ends it."""
    dist, first, *others = sys.argv[1:]
    (wheel,), (sdist,) = ([path.resolve() for path in Path(dist).glob(kind)] for kind in ("*.whl", "*.tar.gz"))
    with zipfile.ZipFile(wheel) as file:
        (metadata,) = (name for name in file.namelist() if name.endswith(".dist-info/METADATA"))
        told = BytesParser().parsebytes(file.read(metadata))
    extras = PROJECT["optional-dependencies"].keys() - NOT_FOR_USERS
    assert extras == FEATURES.keys(), f"FEATURES and pyproject.toml differ in {sorted(extras ^ FEATURES.keys())}"
    assert set(told.get_all("Provides-Extra")) == PROJECT["optional-dependencies"].keys()
    for name, wanted in ("Version", VERSION), ("Requires-Python", PROJECT["requires-python"]):
        assert told[name] == wanted, f"{name}: {told[name]}"

    todo = [(works, python, str(wheel)) for python in (first, *others)]
    todo += [(features, first, f"{wheel}[{extra}]") for extra in sorted(extras)]
    todo += [(starts, first, str(sdist))]
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(os.cpu_count()) as pool:
        folder = Path(name)
        running = [pool.submit(tested, sdist, folder / "sdist")]
        running += [pool.submit(tried, see, folder / str(n), *what) for n, (see, *what) in enumerate(todo)]
        for one in running:
            one.result()


if __name__ == "__main__":
    main()
