"""A receiver as it is usually written with FastAPI: verify, decrypt, parse, keep by id."""

import base64
import hashlib
import hmac
import json
import os
import socket
import sys

import uvicorn
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from fastapi import FastAPI, Request, Response

if "orjson" in sys.argv:
    import orjson

    loads = orjson.loads
else:
    loads = json.loads

TOKEN = os.environ["BENCH_TOKEN"]
KEY = os.environ["BENCH_AES_KEY"].encode()

app = FastAPI()
accounts = {}


@app.post("/callback")
async def callback(request: Request) -> Response:
    envelope = loads(await request.body())
    content = envelope["encoding_content"]
    signed = "".join(
        sorted([envelope["app_key"], TOKEN, envelope["nonce"], envelope["timestamp"], content])
    )
    signature = hashlib.md5(signed.encode()).hexdigest()
    if not hmac.compare_digest(signature, envelope["signature"]):
        return Response("signature", status_code=401)
    decryptor = Cipher(algorithms.AES(KEY), modes.CBC(KEY[:16])).decryptor()
    plain = decryptor.update(base64.b64decode(content)) + decryptor.finalize()
    page = loads(plain[: -plain[-1]])
    for account in page["data"]["account_list"]:
        accounts[account["account_id"]] = account
    return Response("success")


if __name__ == "__main__":
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/callback", flush=True)
    config = uvicorn.Config(app, log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])
