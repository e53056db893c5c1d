"""A Celery application with a broker made of files; HOW says how its logging is configured.

MAX_TASKS says after how many a child is replaced. Celery has the system kill its children when the thread ends that has
started them: those that were replaced may be killed at work when it is told to end, by itself.
"""

from __future__ import annotations

import logging.config
import os
import time
from pathlib import Path

from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded
from celery.signals import setup_logging

from tests.servers.bugs import config, fail, say

folder = Path(os.environ["BROKER"])
for name in ("queue", "control"):
    (folder / name).mkdir(parents=True, exist_ok=True)

app = Celery("shop", broker="filesystem://")
app.conf.update(
    broker_transport_options={
        "data_folder_in": str(folder / "queue"),
        "data_folder_out": str(folder / "queue"),
        "control_folder": str(folder / "control"),
        "polling_interval": 0.02,
    },
    worker_lost_wait=0.5,
    worker_max_tasks_per_child=int(os.environ.get("MAX_TASKS", "0")) or None,
    worker_hijack_root_logger=os.environ.get("HOW") != "not hijacked",
    task_ignore_result=True,
)


def configure(**_):
    """Apply the configuration."""
    logging.config.dictConfig(config())


if os.environ.get("HOW") == "signal":
    setup_logging.connect(configure)
elif os.environ.get("HOW") == "not hijacked":
    configure()


@app.task
def meet(bug):
    """Fail; Celery logs it."""
    fail(bug)


@app.task
def hang():
    """Go on until killed."""
    say("hanging", "-")
    time.sleep(60)


@app.task(soft_time_limit=0.5)
def slow():
    """Take too long."""
    try:
        while True:
            pass
    except SoftTimeLimitExceeded:
        say("begun", "SoftTimeLimitExceeded")
        raise
