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


class Message:
    def __init__(self, payload: bytes, at: float) -> None:
        self.payload, self.at = payload, at

    def value(self) -> bytes:
        return self.payload

    def timestamp(self) -> Tuple[int, int]:
        return 1, round(self.at * 1000)


class Crash(Exception):
    pass


class Queue:
    """A topic with one partition: what was not committed comes again. Its consumer crashes once."""

    def __init__(self) -> None:
        self.waiting: Deque[Message] = deque()
        self.uncommitted: List[Message] = []
        self.now = 0.0
        self.crash_at: Optional[float] = None

    def add(self, payloads: List[bytes]) -> None:
        self.waiting.extend(Message(it, self.now) for it in payloads)

    def poll(self, timeout: float) -> Optional[Message]:
        if self.waiting:
            self.uncommitted.append(self.waiting.popleft())
            return self.uncommitted[-1]
        self.now += timeout
        if self.crash_at == self.now:
            raise Crash
        return None

    def commit(self) -> None:
        self.uncommitted.clear()

    def restart(self) -> None:
        self.crash_at = None
        self.waiting.extendleft(reversed(self.uncommitted))
        self.commit()


def test_the_consumer_publishes_each_list_once_through_a_crash(tmp_path: Path) -> None:
    consumer, state, queue = example("consumer"), tmp_path / "state", Queue()
    pages = [payload_of([(f"{n}", "x")], n != 9) for n in range(10)]
    published: List[List[str]] = []

    def publish(event: qopen.Completed, accounts: List[qopen.Account]) -> None:
        assert event.evidence.quiet == 3.0
        published.append([it.id for it in accounts])

    def run() -> None:
        consumer.run(queue, state, publish, lambda: queue.now)

    # The last page comes first. The state is stored after a second, and the consumer crashes after another.
    queue.add([pages[9], *pages[:4], pages[2]])
    queue.crash_at = 2.0
    with pytest.raises(Crash):
        run()
    assert published == [] and not queue.uncommitted
    # The rest comes in time while the consumer is down; it reads on an hour later.
    queue.add(pages[4:9])
    queue.now = 3_600.0
    queue.restart()
    run()
    assert published == [[str(n) for n in range(10)]]
    # A crash before the commit: the messages come again, and nothing is published again.
    queue.add([*pages[:3], b"{"])
    queue.crash_at = queue.now + 1.0
    with pytest.raises(Crash):
        run()
    assert len(queue.uncommitted) == 4
    queue.restart()
    run()
    assert len(published) == 1


def test_the_code_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 2
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    shown = re.findall(r"^```text\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert capsys.readouterr().out == "".join(shown)
