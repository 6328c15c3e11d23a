"""Assembles lists from a queue of payloads that delivers each at least once, as Kafka does.

`consumer` is what `confluent_kafka.Consumer` is: `poll(seconds)` returns a message or None, `commit()` notes how
far the messages are done. The state is stored before each commit: after a crash, the messages since the last
commit come again, and are copies. Key the messages by mark, and give each partition a state of its own.

Time is that of the messages, as the broker notes it: a consumer that lags behind or was down sees no quiet in
that. Only at the end of the partition the clock counts.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Callable, Optional, Protocol, Tuple

import qopen


class Message(Protocol):
    def value(self) -> bytes: ...

    def timestamp(self) -> Tuple[int, int]:
        """Its kind, and the time in milliseconds since the Unix epoch."""


class Consumer(Protocol):
    def poll(self, timeout: float) -> Optional[Message]: ...

    def commit(self) -> object: ...


def restored(state: Path) -> qopen.Assembler:
    """The assembler as it was stored, or a new one that opens a pull at its first page."""
    if state.exists():
        return qopen.Assembler.from_bytes(state.read_bytes())
    return qopen.Assembler(adopt=True)


def run(
    consumer: Consumer,
    state: Path,
    publish: Callable[[qopen.Completed, "list[qopen.Account]"], None],
    clock: Callable[[], float] = time.time,
) -> None:
    """Publishes each list that is complete. Ends when no pull is open and no message waits."""
    assembler = restored(state)
    while True:
        message = consumer.poll(1.0)
        if message is not None:
            assembler.push(message.value(), message.timestamp()[1] / 1000)
        else:
            assembler.tick(clock())
        for event in assembler.events():
            if isinstance(event, qopen.Completed):
                publish(event, assembler.accounts(event.robot, event.mark))
            elif isinstance(event, qopen.Failed):
                print(f"no list of robot {event.robot}: {event.reason}")
        if message is None:
            # A pause is a good time. Under load, also every few seconds.
            fresh = state.with_suffix(".new")
            fresh.write_bytes(assembler.to_bytes())
            fresh.replace(state)
            consumer.commit()
            if not assembler.open_pulls():
                return
