"""Celery: tasks that fail become issues, from all of the worker's processes, counted together.

    cd examples && celery -A celery_app worker      # in one terminal
    cd examples && python celery_app.py             # in another: ten tasks, four of which fail

Then `loghub groups` shows one bug, seen four times. The broker is a folder, so that nothing has to be installed.
"""

import logging.config
import os

from celery import Celery
from celery.signals import setup_logging

folder = os.path.abspath(os.environ.get("CELERY_FOLDER", "celery"))
app = Celery("shop", broker="filesystem://")
app.conf.broker_transport_options = {"data_folder_in": folder, "data_folder_out": folder}
os.makedirs(folder, exist_ok=True)


@setup_logging.connect  # whoever listens sets logging up instead of Celery
def configure(**_):
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"event": {"()": "loghub.EventFilter", "component": "till"}},
            "handlers": {
                "console": {"class": "logging.StreamHandler"},
                "github": {"class": "loghub.GitHubIssueHandler", "filters": ["event"]},
                "detail": {"class": "loghub.JSONDetailHandler", "filters": ["event"], "directory": "logs/errors"},
            },
            "root": {"level": "INFO", "handlers": ["console", "github", "detail"]},
        }
    )


@app.task(name="shop.pay")  # the same in the worker, which imports this file, and where it is the program
def pay(people):
    return 100 / people


if __name__ == "__main__":
    for number in range(10):
        pay.delay(number % 3)
