"""Django in one file: handlers stand in the setting LOGGING, as any others.

    python examples/django_site.py runserver --noreload     # then open http://127.0.0.1:8000/pay/0 a few times

The page says 500. Without a token the error is kept: `loghub groups` shows one bug with its count. In a site of several
files what is below is the LOGGING of its settings.py; nothing else changes.
"""

import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import JsonResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for this example only",
    LOGGING={
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"event": {"()": "loghub.EventFilter", "component": "till"}},
        "handlers": {
            "console": {"class": "logging.StreamHandler"},
            "github": {"class": "loghub.GitHubIssueHandler", "filters": ["event"]},
            "detail": {"class": "loghub.JSONDetailHandler", "filters": ["event"], "directory": "logs/errors"},
        },
        "root": {"level": "INFO", "handlers": ["console", "github", "detail"]},
    },
)


def pay(_request, people):
    return JsonResponse({"each": 100 / people})


urlpatterns = [path("pay/<int:people>", pay)]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
