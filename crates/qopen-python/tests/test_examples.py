"""The examples, and the code of the README."""

from __future__ import annotations

import asyncio
import importlib.util
import re
from collections import deque
from pathlib import Path
from types import ModuleType
from typing import Any, Deque, Dict, List, Optional, Tuple

import pytest
from support import payload_of

import qopen

ROOT = Path(__file__).parents[1]


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_handler_answers_as_the_platform_expects(keys: qopen.Keyring) -> None:
    handler = example("handler")
    payload = payload_of([("a", "")], False)
    body = keys.seal(payload, nonce="n", timestamp=1_763_850_000)
    unopened = keys.seal(payload, nonce="n", timestamp=1_763_850_000)
    other = qopen.Keyring("app key", "callback token", "fedcba9876543210")
    answers = {
        "/": [(b"", 404, b"")],
        "/callback": [
            (body, 200, b"success"),
            (unopened.replace(b'"n"', b'"m"'), 401, b"signature"),
            (unopened.replace(b"app key", b"another"), 401, b"app_key"),
            (other.seal(payload, nonce="n", timestamp=1), 400, b"undecryptable"),
            (b"{", 400, b"malformed"),
            (b" " * (17 << 20), 413, b"too large"),
        ],
    }

    async def post(path: str, body: bytes) -> Tuple[int, bytes]:
        chunks = [body[at : at + 1_000_000] for at in range(0, len(body), 1_000_000)] or [b""]
        sent: List[Dict[str, Any]] = []

        async def next_message() -> Dict[str, Any]:
            return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

        async def send(message: Dict[str, Any]) -> None:
            sent.append(message)

        await handler.application({"type": "http", "method": "POST", "path": path}, next_message, send)
        return sent[0]["status"], sent[1]["body"]

    for path, cases in answers.items():
        for posted, status, answer in cases:
            assert asyncio.run(post(path, posted)) == (status, answer)
    assert handler.STORED == [payload]


class Queue:
    """A topic with one partition: what was not committed comes again."""

    def __init__(self, payloads: List[bytes]) -> None:
        self.waiting: Deque[bytes] = deque(payloads)
        self.uncommitted: List[bytes] = []
        self.now = 0.0

    def poll(self, timeout: float) -> Optional["Queue.Message"]:
        if not self.waiting:
            self.now += timeout
            return None
        self.uncommitted.append(self.waiting.popleft())
        return Queue.Message(self.uncommitted[-1])

    def commit(self) -> None:
        self.uncommitted.clear()

    def crash(self) -> None:
        self.waiting.extendleft(reversed(self.uncommitted))
        self.commit()

    class Message:
        def __init__(self, payload: bytes) -> None:
            self.payload = payload

        def value(self) -> bytes:
            return self.payload


def test_the_consumer_publishes_each_list_once_through_a_crash(tmp_path: Path) -> None:
    consumer, state = example("consumer"), tmp_path / "state"
    pages = [payload_of([(f"{n}", "x")], n != 9) for n in range(10)]
    queue = Queue([pages[9], *pages[:4], pages[2]])
    published: List[List[str]] = []

    def publish(event: qopen.Completed, accounts: List[qopen.Account]) -> None:
        assert event.evidence.quiet == 3.0
        published.append([it.id for it in accounts])

    class Crash(Exception):
        pass

    def clock() -> float:
        if queue.now == 1.0 and not queue.waiting and not crashed:
            crashed.append(True)
            raise Crash
        return queue.now

    crashed: List[bool] = []
    with pytest.raises(Crash):
        consumer.run(queue, state, publish, clock)
    assert published == []
    queue.crash()
    queue.waiting.extend(pages[4:9])
    consumer.run(queue, state, publish, clock)
    assert published == [[str(n) for n in range(10)]]
    # A restart after the end publishes nothing again.
    queue.waiting.extend(pages[:3])
    consumer.run(queue, state, publish, clock)
    assert len(published) == 1


def test_the_code_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 2
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    shown = re.findall(r"^```text\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert capsys.readouterr().out == "".join(shown)
