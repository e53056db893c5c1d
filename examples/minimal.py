"""The least: GitHub issues and detail files for an application that only knows logging.

GITHUB_REPO=owner/name GITHUB_TOKEN=... python examples/minimal.py
"""

import logging.config

import yaml

CONFIG = """
version: 1
disable_existing_loggers: false
handlers:
  github:
    class: loghub.GitHubIssueHandler
  detail:
    class: loghub.JSONDetailHandler
    directory: logs/errors
root:
  handlers: [github, detail]
"""

logging.config.dictConfig(yaml.safe_load(CONFIG))

try:
    print(1 / 0)
except ZeroDivisionError:
    logging.getLogger("shop").exception("the division failed")
