"""Flask: what a view raises becomes an issue. Nothing in the views knows of it.

    flask --app examples/flask_app.py run       # then open http://127.0.0.1:5000/pay/0 a few times

The page says 500. Without a token the error is kept: `loghub groups` shows one bug with its count.
"""

import logging.config

from flask import Flask

import loghub.web

# Before the app is made: Flask adds a handler of its own only where there is none.
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

app = Flask(__name__)
app.wsgi_app = loghub.web.wsgi(app.wsgi_app)  # errors say in which request they happened


@app.get("/pay/<int:people>")
def pay(people):
    return {"each": 100 / people}
