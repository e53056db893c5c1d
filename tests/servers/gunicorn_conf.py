"""A gunicorn configuration that hands logging.yaml's content over as a dict."""

from __future__ import annotations

from tests.servers import bugs

logconfig_dict = bugs.config()
