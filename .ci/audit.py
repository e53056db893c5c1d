"""Look for known vulnerabilities in what is installed here, with pip-audit.

Ends with 1 where there are any, and with 3 where nobody can tell.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

KNOWN = "PyYAML==5.3"
"""Its vulnerabilities are known (CVE-2020-14343): a service that does not tell of them is none."""


def told(*options: str) -> list[dict]:
    """Return what pip-audit tells of each package; nothing where it cannot look."""
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)["dependencies"]
    except ValueError:
        return []


def main() -> int:
    """Say what was found; return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder, "known.txt")
        requirements.write_text(KNOWN)
        if not any(one.get("vulns") for one in told("--disable-pip", "--no-deps", "-r", str(requirements))):
            print(f"NOT AUDITED: service cannot be reached (it does not tell of {KNOWN})")
            return 3
    packages = told("--local", "--skip-editable")
    found = [one for one in packages if one.get("vulns")]
    for one in packages:
        if "skip_reason" in one and "editable" not in one["skip_reason"]:
            print(f"NOT AUDITED: {one['name']}: {one['skip_reason']}")
        for vulnerability in one.get("vulns", ()):
            fixed = ", ".join(vulnerability["fix_versions"]) or "no version"
            print(f"VULNERABLE: {one['name']} {one['version']}: {vulnerability['id']}, fixed in {fixed}")
    print(f"{len(packages)} packages audited, {len(found)} vulnerable")
    return 0 if packages and not found else 1


if __name__ == "__main__":
    sys.exit(main())
