"""Input of any form: a refusal is an exception of the package or of Python, never a panic."""

from __future__ import annotations

import json
import re
from typing import Any, Callable, List

from hypothesis import given
from hypothesis import strategies as st
from support import AES_KEY, APP_KEY, TOKEN, cases, payload_of

import qopen

KEYS = qopen.Keyring(APP_KEY, TOKEN, AES_KEY)
BODIES = [it.body for it in cases()]
FIELDS = ["app_key", "nonce", "timestamp", "signature", "encoding_content"]

JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=10,
)
ANYTHING: st.SearchStrategy[Any] = st.one_of(
    JSON,
    st.binary(),
    st.complex_numbers(),
    st.binary().map(bytearray),
    st.binary().map(lambda data: memoryview(data)),
    st.builds(object),
    st.sampled_from([KEYS, qopen, qopen.Assembler, qopen.read(b""), qopen.read(payload_of([], True))]),
)
# A payload as the platform sends it, with a few bytes changed.
PAYLOADS = st.sampled_from(
    [
        payload_of([("a", "Ünï"), (7, "客户")], True),
        payload_of([("a", ""), ("", "")], False),
        b'{"event_type":42016,"err_code":5,"err_msg":"no","robot_id":"r","data":{"mark_id":"m"}}',
        b'{"event_type":"chat","data":{"mark_id":"m","text":"\\ud83d"}}',
        json.dumps({"event_type": 42016, "data": payload_of([("a", "b")]).decode()}).encode(),
    ]
)


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Bytes of which a few are cut out, put in or replaced."""
    out = draw(whole)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(out)))
        cut = draw(st.integers(0, 8))
        put = draw(st.one_of(st.binary(max_size=4), st.sampled_from([b'"', b"{", b"]", b"\\", b"9", b",", b"e9"])))
        out = out[:at] + put + out[at + cut :]
    return out


def refused(work: Callable[[], object]) -> None:
    """Runs it. Any exception that a caller may expect will do; `PanicException` is none of them."""
    try:
        work()
    except (qopen.QopenError, TypeError, ValueError, OverflowError):
        pass


@given(ANYTHING)
def test_opening_anything(body: Any) -> None:
    refused(lambda: qopen.open(body, KEYS))
    refused(lambda: qopen.open(b"{}", body))
    refused(lambda: qopen.read(body))
    refused(lambda: qopen.open(b"{}", KEYS, now=body, tolerance=body, refuse_stale=True))


@given(st.one_of(st.text(), ANYTHING), st.one_of(st.text(), ANYTHING), st.one_of(st.text(), ANYTHING))
def test_keys_of_anything(app_key: Any, token: Any, aes_key: Any) -> None:
    refused(lambda: qopen.Keyring(app_key, token, aes_key))
    refused(lambda: KEYS.with_keys(token, aes_key))
    refused(lambda: KEYS.seal(app_key, nonce=token, timestamp=aes_key, padding=aes_key))


@given(damaged(st.sampled_from(BODIES)), st.sampled_from(cases()))
def test_a_damaged_body_is_refused_or_read(body: bytes, case: Any) -> None:
    try:
        case.keys().open(body)
    except qopen.OpenError as refusal:
        assert refusal.reason in ("malformed", "app_key", "signature", "undecryptable")


@given(st.dictionaries(st.sampled_from(FIELDS), ANYTHING))
def test_fields_of_anything(fields: Any) -> None:
    refused(lambda: qopen.open(fields, KEYS))
    whole = json.loads(KEYS.seal(b"x", nonce="n", timestamp=1))
    refused(lambda: qopen.open({**whole, **fields}, KEYS))


@given(st.binary(), st.text(), st.integers(0, 2**64 - 1), st.sampled_from([16, 32]))
def test_what_is_sealed_opens(payload: bytes, nonce: str, timestamp: int, padding: int) -> None:
    body = KEYS.seal(payload, nonce=nonce, timestamp=timestamp, padding=padding)
    opened = KEYS.open(body)
    assert opened.payload == payload
    refused(opened.json)
    event = opened.event()
    assert isinstance(event, (qopen.Page, qopen.ErrorReport, qopen.Unreadable, qopen.OtherEvent))
    refused(lambda: repr([opened, opened.event_type, opened.readings, event]))


@given(st.lists(st.tuples(st.one_of(damaged(PAYLOADS), st.binary(), ANYTHING), st.one_of(st.floats(), ANYTHING))))
def test_pushing_anything(pushed: Any) -> None:
    assembler = qopen.Assembler(adopt=True)
    for event, now in pushed:
        refused(lambda: assembler.push(event, now))
        refused(lambda: assembler.push(event, 5, signed_at=now))
        refused(lambda: assembler.outage_began(5, now))
        refused(lambda: assembler.refused(5, now))
        refused(lambda: assembler.outage_ended(now))
        refused(lambda: assembler.start(event, now, 5, requested_before=now, expect_accounts=now))
        refused(lambda: assembler.merge(event, now))
    assert all(repr(it) for it in assembler.events())
    assert repr(assembler) and assembler.to_bytes()


def saved() -> List[bytes]:
    """An assembler and a fold with something in every part of them."""
    assembler = qopen.Assembler(adopt=True, idle_timeout=50.1)
    assembler.push(payload_of([("a", "1"), ("b", "2"), ("", "")], True), 10)
    assembler.push(payload_of([("a", "2")], True), 10)
    assembler.push(payload_of([("x", "1")], False, mark="n"), 10)
    assembler.tick(14)
    assembler.push(payload_of([("y", "1")], True, mark="n"), 15)
    assembler.push(b"{", 15)
    assembler.owe("r", "m", "0" * 32, 15)
    assembler.refused(15)
    assembler.outage_began(15, 14)
    assembler.outage_ended(16)
    assembler.events()
    fold = assembler.fold("r", "m")
    assert fold is not None
    return [assembler.to_bytes(), fold.to_bytes()]


ASSEMBLER, FOLD = saved()


@st.composite
def renumbered(draw: st.DrawFn, whole: bytes) -> bytes:
    """Bytes in which a few numbers are others."""
    parts = re.split(rb"(\d+)", whole)
    for _ in range(draw(st.integers(1, 3))):
        number = draw(st.sampled_from([0, 1, 59, 999_999_999, 2**32 - 1, 2**63, 2**64 - 1, 2**128 - 1]))
        parts[2 * draw(st.integers(0, len(parts) // 2 - 1)) + 1] = b"%d" % number
    return b"".join(parts)


@given(st.one_of(damaged(st.just(ASSEMBLER)), renumbered(ASSEMBLER)), st.floats(0, 2**33, exclude_max=True))
def test_a_damaged_state_is_refused_or_lives_on(state: bytes, now: float) -> None:
    try:
        assembler = qopen.Assembler.from_bytes(state)
    except qopen.StateError as error:
        assert error.reason in ("damaged", "unknown_version")
        return
    assert repr([assembler.progress(*it) for it in assembler.open_pulls()])
    for payload in (payload_of([("a", "3")], False), payload_of([("z", "1")], True, mark="n"), b"{"):
        assembler.push(payload, now)
    assembler.outage_began(now, 3)
    assembler.outage_ended(now)
    due = assembler.due()
    assert due is None or due >= 0
    assembler.tick(2**33 - 1)
    assert all(repr(it) for it in assembler.events())
    assert assembler.to_bytes()


@given(st.one_of(damaged(st.just(FOLD)), renumbered(FOLD)))
def test_a_damaged_fold_is_refused_or_merges(state: bytes) -> None:
    whole = qopen.Fold.from_bytes(FOLD)
    try:
        fold = qopen.Fold.from_bytes(state)
    except qopen.StateError as error:
        assert error.reason in ("damaged", "unknown_version")
        return
    refused(lambda: whole.merge(fold).accounts())


@given(ANYTHING)
def test_restoring_anything(data: Any) -> None:
    refused(lambda: qopen.Assembler.from_bytes(data))
    refused(lambda: qopen.Fold.from_bytes(data))
    refused(lambda: qopen.Assembler().__setstate__(data))


def test_deep_and_long_payloads_are_read_without_a_crash() -> None:
    for depth in (100, 1_000, 100_000):
        for payload in (b"[" * depth, b'{"data":' * depth, b'{"event_type":42016,"data":' * depth):
            for whole in (payload, payload + b"1" + b"]}"[:1] * depth, payload + b"1" + b"}" * depth):
                assert qopen.read(whole)
                opened = KEYS.open(KEYS.seal(whole, nonce="n", timestamp=1))
                refused(opened.json)
    digits = b'{"event_type":' + b"9" * 100_000 + b"}"
    refused(KEYS.open(KEYS.seal(digits, nonce="n", timestamp=1)).json)
    assert qopen.read(digits)
