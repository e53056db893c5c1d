"""A FastAPI application, whose errors uvicorn logs, and one without a framework behind ``/raw/``."""

from __future__ import annotations

from fastapi import FastAPI

from tests.servers.bugs import fail

fastapi = FastAPI()


@fastapi.get("/thread/{bug}")
def meet_in_thread(bug: str):
    """Meet a bug in a thread of the pool."""
    fail(bug)


@fastapi.get("/{bug}")
async def meet(bug: str):
    """Meet a bug in the event loop."""
    fail(bug)


async def app(scope, receive, send):
    """Pass on to FastAPI, or fail by itself."""
    if scope["type"] == "http" and scope["path"].startswith("/raw/"):
        fail(scope["path"].removeprefix("/raw/"))
    await fastapi(scope, receive, send)
