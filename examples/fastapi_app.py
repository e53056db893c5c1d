"""FastAPI under uvicorn: its --log-config is the whole set-up, and takes the YAML as it is.

    uvicorn --app-dir examples fastapi_app:app --log-config examples/fastapi_logging.yaml

Open http://127.0.0.1:8000/pay/0 a few times: 500, and `loghub groups` shows one bug with its count.
"""

from fastapi import FastAPI

import loghub.web

api = FastAPI()
app = loghub.web.asgi(api)  # errors say in which request they happened


@api.get("/pay/{people}")
async def pay(people: int):
    return {"each": 100 / people}
