"""A FastAPI-like service that receives callbacks, as an ASGI application without a framework.

In FastAPI, `receive(await request.body())` is the body of the route, and its result is the response.
"""

from __future__ import annotations

from typing import Any, Awaitable, Callable, Dict, List, Tuple

import qopen

KEYS = qopen.Keyring("app key", "callback token", "0123456789abcdef")
STORED: List[bytes] = []


def receive(body: bytes) -> Tuple[int, str]:
    """Answers one callback: the status, and the body of the answer."""
    try:
        opened = qopen.open(body, KEYS)
    except (qopen.AppKeyError, qopen.SignatureError) as refusal:
        return 401, refusal.reason
    except qopen.OpenError as refusal:
        return 400, refusal.reason
    STORED.append(opened.payload)  # Durably, before the answer.
    return 200, "success"


Message = Dict[str, Any]


async def application(
    scope: Message,
    next_message: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Serves `POST /callback`: `uvicorn handler:application`."""
    assert scope["type"] == "http"
    body, more = b"", True
    while more and len(body) <= 16 << 20:
        message = await next_message()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    is_callback = (scope["method"], scope["path"]) == ("POST", "/callback")
    status, answer = (413, "too large") if more else receive(body) if is_callback else (404, "")
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.encode()})
