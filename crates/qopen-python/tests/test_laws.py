"""The laws of the fold, as the Rust crate has them: order, copies and splits do not matter, merging is a join,
and no list is complete without evidence."""

from __future__ import annotations

from itertools import permutations
from typing import Dict, List, Optional, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import payload_of

import qopen

Accounts = List[Tuple[str, str]]
Step = Tuple[str, object]
TestPage = Tuple[Accounts, Optional[bool]]

ACCOUNTS: st.SearchStrategy[Accounts] = st.lists(
    st.tuples(st.sampled_from("abcdefghij"), st.sampled_from("123")), max_size=4
)
HAS_MORE: st.SearchStrategy[Optional[bool]] = st.sampled_from([True, True, True, False, None])
PAGES: st.SearchStrategy[List[TestPage]] = st.lists(st.tuples(ACCOUNTS, HAS_MORE), max_size=8)


def bytes_of(pages: List[TestPage]) -> List[bytes]:
    return [payload_of(accounts, has_more) for accounts, has_more in pages]


def assembled(payloads: List[bytes]) -> qopen.Assembler:
    assembler = qopen.Assembler()
    assembler.start("r", "m", 0)
    for payload in payloads:
        assembler.push(payload, 0)
    return assembler


def fold_of(payloads: List[bytes]) -> qopen.Fold:
    fold = assembled(payloads).fold("r", "m")
    assert fold is not None
    return fold


def listed(fold: qopen.Fold) -> List[Tuple[str, str]]:
    return [(it.id, it.raw) for it in fold.accounts()]


@given(PAGES, st.data())
def test_order_and_copies_do_not_matter(pages: List[TestPage], data: st.DataObject) -> None:
    payloads = bytes_of(pages)
    copies = data.draw(st.lists(st.sampled_from(payloads), max_size=5)) if payloads else []
    shuffled = data.draw(st.permutations(payloads + copies))
    one, other = fold_of(payloads), fold_of(shuffled)
    assert one == other
    assert listed(one) == listed(other)


@given(st.lists(st.tuples(st.sampled_from("abcdefghij"), st.sampled_from("123")), min_size=1), st.data())
def test_the_split_into_pages_does_not_matter(accounts: Accounts, data: st.DataObject) -> None:
    def split() -> qopen.Fold:
        rest = list(accounts)
        pages: List[TestPage] = []
        while rest:
            size = data.draw(st.integers(1, 9))
            page, rest = rest[:size], rest[size:]
            pages.append((page, bool(rest)))
        return fold_of(bytes_of(pages))

    assert listed(split()) == listed(split())


@given(PAGES, PAGES, PAGES)
def test_merging_is_a_join(a: List[TestPage], b: List[TestPage], c: List[TestPage]) -> None:
    x, y, z = (fold_of(bytes_of(it)) for it in (a, b, c))
    assert x.merge(y) == y.merge(x)
    assert x.merge(y).merge(z) == x.merge(y.merge(z))
    assert x.merge(x) == x
    whole = fold_of(bytes_of(a + b))
    assert x.merge(y) == whole
    assert listed(x.merge(y)) == listed(whole) == listed(y.merge(x))


@given(PAGES, PAGES)
def test_merging_another_process_is_as_seeing_its_pages(a: List[TestPage], b: List[TestPage]) -> None:
    here, sent = assembled(bytes_of(a)), fold_of(bytes_of(b)).to_bytes()
    here.merge(qopen.Fold.from_bytes(sent), 0)
    fold, whole = here.fold("r", "m"), fold_of(bytes_of(a + b))
    assert fold is not None
    assert fold == whole and listed(fold) == listed(whole)


def test_folds_of_different_pulls_do_not_merge() -> None:
    ours = fold_of([])
    for robot, mark in [("r", "n"), ("s", "m"), ("rm", "")]:
        assembler = qopen.Assembler()
        assembler.start(robot, mark, 0)
        other = assembler.fold(robot, mark)
        assert other is not None and other != ours
        with pytest.raises(qopen.PullError) as error:
            ours.merge(other)
        assert error.value.reason == "pull_mismatch"


@given(PAGES)
def test_a_saved_fold_is_the_same(pages: List[TestPage]) -> None:
    fold = fold_of(bytes_of(pages))
    restored = qopen.Fold.from_bytes(fold.to_bytes())
    assert restored == fold
    assert (restored.robot, restored.mark, restored.pages) == ("r", "m", fold.pages)
    assert listed(restored) == listed(fold)


@given(PAGES)
def test_the_winner_of_two_contents_is_the_same_in_every_order(pages: List[TestPage]) -> None:
    """Against a model: one of the contents that came, for each id that came."""
    came: Dict[str, set[str]] = {}
    for accounts, _ in pages:
        for account, name in accounts:
            came.setdefault(account, set()).add(name)
    found = {it.id: it.json()["profile"]["name"] for it in fold_of(bytes_of(pages)).accounts()}
    assert found.keys() == came.keys()
    assert all(name in came[account] for account, name in found.items())
    conflicts = sum(len(names) > 1 for names in came.values())
    progress = assembled(bytes_of(pages)).progress("r", "m")
    assert progress is not None and progress.conflicts == conflicts


def test_of_two_contents_one_wins_in_every_order() -> None:
    payloads = bytes_of([([("a", name)], True) for name in "12345"])
    winners = {listed(fold_of(list(order)))[0][1] for order in permutations(payloads)}
    assert len(winners) == 1


DAMAGED = st.sampled_from(
    [
        b"",
        b"{",
        b'{"event_type":42016,"robot_id":"r","data":{"mark_id":"m","account_list":7}}',
        b'{"event_type":42016,"robot_id":"r","data":{"mark_id":"m","has_more":tr',
    ]
)
WAIT = st.tuples(st.just("wait"), st.sampled_from([0.0, 1.0, 2.9, 3.0, 20.0, 59.0, 61.0]))
INTACT: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("page"), st.tuples(ACCOUNTS, HAS_MORE)),
    st.tuples(st.just("page"), st.tuples(ACCOUNTS, st.just(False))),
    WAIT,
    st.tuples(st.just("save"), st.none()),
)
STEP: st.SearchStrategy[Step] = st.one_of(
    INTACT,
    st.tuples(st.just("damaged"), DAMAGED),
    st.tuples(st.just("finish"), st.none()),
)
# Few lists end well by chance.
END: List[Step] = [("page", ([], False)), ("wait", 61.0)]
STEPS = st.one_of(
    st.lists(STEP, min_size=2, max_size=25),
    st.lists(INTACT, max_size=25).map(lambda steps: [*steps, *END]),
)


def is_complete(steps: List[Step], expected: Optional[int]) -> bool:
    """Whether the list is complete in the end; fails if it is at any time without evidence."""
    assembler = qopen.Assembler()
    assembler.start("r", "m", 0, expect_accounts=expected)
    now, quiet_since, last, damaged = 0.0, 0.0, False, False
    accounts: set[str] = set()
    completed = 0

    def look() -> None:
        nonlocal completed
        for event in assembler.events():
            if not isinstance(event, qopen.Completed):
                assert not (isinstance(event, qopen.Failed) and completed)
                continue
            completed += 1
            assert last and not damaged
            assert expected is None or len(accounts) >= expected
            assert event.evidence.declared or now - quiet_since > 3.0 - 1e-6
            assert event.progress.accounts == len(accounts)

    for kind, value in steps:
        if kind == "page":
            assert isinstance(value, tuple)
            page_accounts, has_more = value
            # What was due before the page happens before it.
            assembler.tick(now)
            look()
            verdict = assembler.push(payload_of(page_accounts, has_more), now)
            if verdict in ("folded", "late", "reopened"):
                accounts |= {it for it, _ in page_accounts}
                last |= has_more is not True
                quiet_since = now
        elif kind == "damaged":
            assert isinstance(value, bytes)
            assembler.tick(now)
            look()
            was_open = bool(assembler.open_pulls())
            assert assembler.push(value, now) == "unreadable"
            damaged |= was_open
        elif kind == "wait":
            assert isinstance(value, float)
            now += value
            assembler.tick(now)
        elif kind == "save":
            look()
            assembler = qopen.Assembler.from_bytes(assembler.to_bytes())
        elif assembler.open_pulls():
            assembler.finish("r", "m", now)
        look()
        assert {it.id for it in assembler.accounts("r", "m")} == accounts
    assert completed <= 1
    return completed == 1


def test_no_list_is_complete_without_evidence() -> None:
    lists: List[bool] = []

    @given(STEPS, st.one_of(st.none(), st.integers(0, 3)))
    def law(steps: List[Step], expected: Optional[int]) -> None:
        lists.append(is_complete(steps, expected))

    law()
    assert lists.count(True) >= 5 and lists.count(False) >= 5
