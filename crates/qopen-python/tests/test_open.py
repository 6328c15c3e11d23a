"""Callbacks: the published vectors, forgeries, rotation, timestamps."""

from __future__ import annotations

import hashlib
import json
import pickle
import sys
import threading
from typing import Any, Callable, Dict, List, Type

import pytest
from support import AES_KEY, APP_KEY, TOKEN, Case, cases, payload_of

import qopen

ERRORS: Dict[str, Type[qopen.OpenError]] = {
    "malformed": qopen.EnvelopeError,
    "app_key": qopen.AppKeyError,
    "signature": qopen.SignatureError,
    "stale": qopen.StaleError,
    "undecryptable": qopen.UndecryptableError,
}
SIGNED_AT = 1_763_850_000


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_every_vector_opens_or_is_refused_as_it_says(case: Case) -> None:
    if case.refused:
        with pytest.raises(qopen.OpenError) as refusal:
            qopen.open(case.body, case.keys())
        assert refusal.value.reason in case.refused
        assert type(refusal.value) is ERRORS[refusal.value.reason]
        return
    opened = qopen.open(case.body, case.keys())
    if case.payload is not None:
        assert opened.payload == case.payload
    else:
        assert hashlib.sha256(opened.payload).hexdigest() == case.payload_sha256
    assert opened.key_index == 0
    assert case.keys().open(case.body).payload == opened.payload


def test_sealing_makes_the_same_bytes_as_the_independent_implementation() -> None:
    sealed = 0
    for case in cases():
        if case.payload is None or case.padded_to is None:
            continue
        envelope = json.loads(case.body)
        timestamp = envelope["timestamp"]
        # Others are read, and are not written by this package.
        if not isinstance(timestamp, str) or not timestamp.isdecimal() or timestamp.startswith("0"):
            continue
        body = case.keys().seal(
            case.payload, nonce=envelope["nonce"], timestamp=int(timestamp), padding=case.padded_to
        )
        ours = json.loads(body)
        assert ours["encoding_content"] == envelope["encoding_content"], case.name
        assert ours["signature"] == envelope["signature"], case.name
        sealed += 1
    assert sealed >= 70


def test_a_body_may_be_bytes_text_or_fields(keys: qopen.Keyring) -> None:
    body = keys.seal(b"payload", nonce="n", timestamp=SIGNED_AT)
    fields = json.loads(body)
    number = dict(fields, timestamp=SIGNED_AT, more=object())
    bodies: List[Any] = [body, bytearray(body), memoryview(body), body.decode(), fields, number]
    for it in bodies:
        assert qopen.open(it, keys).payload == b"payload"
    # Every other byte of it.
    assert qopen.open(memoryview(bytes(2).join([b"", *(bytes([x]) for x in body)]))[2::3], keys).payload == b"payload"


@pytest.mark.parametrize("field", ["app_key", "nonce", "timestamp", "signature", "encoding_content"])
def test_a_field_that_is_absent_or_no_text_is_refused(keys: qopen.Keyring, field: str) -> None:
    fields = json.loads(keys.seal(b"payload", nonce="n", timestamp=SIGNED_AT))
    for value in (None, True, [], {}, object(), b"x", "\ud800"):
        with pytest.raises(qopen.EnvelopeError, match=field):
            qopen.open(dict(fields, **{field: value}), keys)
    del fields[field]
    with pytest.raises(qopen.EnvelopeError, match=field):
        qopen.open(fields, keys)


def test_a_body_of_another_type_is_a_type_error(keys: qopen.Keyring) -> None:
    bodies: List[Any] = [None, 5, 1.5, [], (), object(), keys, qopen.open]
    for body in bodies:
        with pytest.raises(TypeError, match="envelope"):
            qopen.open(body, keys)
    other_keys: Any = "token"
    with pytest.raises(TypeError):
        qopen.open(b"{}", other_keys)


def test_no_changed_byte_opens(keys: qopen.Keyring) -> None:
    body = keys.seal(b"payload", nonce="nonce", timestamp=SIGNED_AT)
    assert keys.open(body).payload == b"payload"
    for at in range(len(body)):
        for flip in (1, 0x80):
            changed = bytearray(body)
            changed[at] ^= flip
            with pytest.raises(qopen.OpenError):
                keys.open(changed)


def test_a_rotation_says_which_pair_opened(keys: qopen.Keyring) -> None:
    new = ("new token", "fedcba9876543210fedcba9876543210")
    both = keys.with_keys(*new)
    for index, ring in enumerate([keys, qopen.Keyring(APP_KEY, *new)]):
        body = ring.seal(b"payload", nonce="n", timestamp=SIGNED_AT)
        assert both.open(body).key_index == index
    # The first ring is unchanged.
    with pytest.raises(qopen.SignatureError):
        keys.open(body)


def test_an_error_says_why_and_keeps_its_cause(keys: qopen.Keyring) -> None:
    with pytest.raises(qopen.EnvelopeError, match="not JSON") as refusal:
        keys.open(b"{")
    assert isinstance(refusal.value.__cause__, ValueError)
    with pytest.raises(qopen.EnvelopeError, match="empty") as refusal:
        keys.open(b"")
    assert refusal.value.__cause__ is None
    again = pickle.loads(pickle.dumps(refusal.value))
    assert (type(again), again.args, again.reason) == (qopen.EnvelopeError, refusal.value.args, "malformed")


def test_keys_have_a_length() -> None:
    for key in ("", "short", "0" * 42, "0" * 44):
        with pytest.raises(qopen.InvalidKeyError, match="16, 24, 32") as refusal:
            qopen.Keyring(APP_KEY, TOKEN, key)
        assert refusal.value.reason == "invalid_key"
        assert isinstance(refusal.value, ValueError)
    with pytest.raises(qopen.InvalidKeyError, match="base64"):
        qopen.Keyring(APP_KEY, TOKEN, AES_KEY).with_keys(TOKEN, "!" * 43)


def test_a_stale_timestamp_is_reported_or_refused(keys: qopen.Keyring) -> None:
    body = keys.seal(b"payload", nonce="n", timestamp=SIGNED_AT)
    assert keys.open(body).freshness is None
    for now, freshness in [(0, "fresh"), (300, "fresh"), (-300, "fresh"), (301, "stale"), (-301, "stale")]:
        opened = keys.open(body, now=SIGNED_AT + now)
        assert (opened.freshness, opened.signed_at) == (freshness, SIGNED_AT)
        if freshness == "stale":
            with pytest.raises(qopen.StaleError) as refusal:
                keys.open(body, now=SIGNED_AT + now, refuse_stale=True)
            assert refusal.value.reason == "stale"
        else:
            assert keys.open(body, now=SIGNED_AT + now, refuse_stale=True).freshness == "fresh"
    assert keys.open(body, now=SIGNED_AT + 400.5, tolerance=400).freshness == "fresh"
    with pytest.raises(ValueError, match="now"):
        keys.open(body, refuse_stale=True)
    for seconds in (-1.0, float("nan"), float("inf"), 1e300):
        with pytest.raises(ValueError):
            keys.open(body, now=seconds)
        with pytest.raises(ValueError):
            keys.open(body, now=1.0, tolerance=seconds)


def test_a_genuine_callback_is_never_stale_before_its_signature_holds(keys: qopen.Keyring) -> None:
    body = keys.seal(b"payload", nonce="n", timestamp=SIGNED_AT)
    other = qopen.Keyring(APP_KEY, "another token", AES_KEY)
    with pytest.raises(qopen.SignatureError):
        other.open(body, now=0, refuse_stale=True)


def test_nothing_shows_a_secret_or_a_customer(keys: qopen.Keyring) -> None:
    payload = payload_of([("customer-7", "Customer's name")], False)
    opened = keys.open(keys.seal(payload, nonce="n", timestamp=SIGNED_AT))
    event = opened.event()
    assert isinstance(event, qopen.Page)
    shown = [repr(it) for it in (keys, keys.with_keys("other", AES_KEY), opened, event, *event.accounts)]
    for secret in (TOKEN, "other", AES_KEY, "customer-7", "Customer's name"):
        assert not any(secret in it for it in shown), shown
    assert shown[0] == "Keyring(app_key='app key', pairs=1)"
    for unpicklable in (keys, opened):
        with pytest.raises(TypeError):
            pickle.dumps(unpicklable)


def test_threads_open_large_bodies_at_once(keys: qopen.Keyring) -> None:
    payload = b'{"x":"' + b"x" * 1_000_000 + b'"}'
    body = keys.seal(payload, nonce="n", timestamp=SIGNED_AT)
    opened: List[bool] = []

    def work() -> None:
        opened.extend(keys.open(body).payload == payload for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened == [True] * 80


def test_other_threads_run_while_a_large_body_is_opened(keys: qopen.Keyring) -> None:
    body = keys.seal(b"x" * 1_000_000, nonce="n", timestamp=SIGNED_AT)
    began, stop, opened, limit = threading.Event(), threading.Event(), [0], 1_000

    def work() -> None:
        began.set()
        while not stop.is_set() and opened[0] < limit:
            keys.open(body)
            opened[0] += 1

    interval = sys.getswitchinterval()
    # No thread gives way on its own: this one goes on only once `open` does.
    sys.setswitchinterval(1_000)
    try:
        thread = threading.Thread(target=work)
        thread.start()
        began.wait()
        stop.set()
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert opened[0] < limit


def test_the_constants_of_types_are_those_of_the_package() -> None:
    assert qopen.__version__.count(".") == 2
    for name in qopen.__all__:
        assert hasattr(qopen, name)
    functions: List[Callable[..., object]] = [qopen.open, qopen.read]
    assert all(it.__doc__ for it in functions)
