"""The assembler: one scenario for each kind of evidence."""

from __future__ import annotations

import copy
import pickle
import threading
from typing import List, Optional, Tuple

import pytest
from support import payload_of

import qopen

ABC = [("a", "1"), ("b", "1"), ("c", "1")]


def ids(assembler: qopen.Assembler, robot: str = "r", mark: str = "m") -> List[str]:
    return [it.id for it in assembler.accounts(robot, mark)]


def ended(assembler: qopen.Assembler) -> List[qopen.Outcome]:
    """The events that wait, without progress."""
    return [it for it in assembler.events() if not isinstance(it, qopen.Progressed)]


def failure(assembler: qopen.Assembler) -> str:
    (event,) = ended(assembler)
    assert isinstance(event, qopen.Failed)
    return event.reason


@pytest.fixture
def assembler() -> qopen.Assembler:
    assembler = qopen.Assembler()
    assembler.start("r", "m", 0)
    return assembler


def test_a_list_is_complete_after_its_last_page_and_quiet(assembler: qopen.Assembler) -> None:
    # The last page comes first, and another one twice.
    pages = [(ABC[2:], False), (ABC[:1], True), (ABC[1:2], True), (ABC[:1], True)]
    verdicts = [assembler.push(payload_of(accounts, more), 1) for accounts, more in pages]
    assert verdicts == ["folded", "folded", "folded", "duplicate"]
    assert assembler.due() == 4.0
    assembler.tick(3.999999)
    progress = assembler.progress("r", "m")
    assert progress is not None and (progress.state, progress.waiting_for) == ("settling", "quiet")
    assert assembler.open_pulls() == [("r", "m")]
    assert not ended(assembler)
    assembler.tick(4)
    (event,) = ended(assembler)
    assert isinstance(event, qopen.Completed)
    assert (event.robot, event.mark, event.evidence.quiet) == ("r", "m", 3.0)
    assert str(event.evidence) == "last page + quiet 3 s"
    figures = event.progress
    assert (figures.pages, figures.accounts, figures.duplicate_pages, figures.revision) == (3, 3, 1, 1)
    assert (figures.state, figures.due, figures.last_page_seen) == ("completed", None, True)
    assert figures == assembler.progress("r", "m")
    assert ids(assembler) == ["a", "b", "c"]
    assert assembler.accounts("r", "m")[0].json() == {"account_id": "a", "profile": {"name": "1"}}


def test_without_a_last_page_no_list_is_complete(assembler: qopen.Assembler) -> None:
    assembler.push(payload_of(ABC, True), 0)
    assembler.finish("r", "m", 1)
    assert failure(assembler) == "last_page_missing"
    # The missing page completes the list after all.
    assert assembler.push(payload_of([], False), 2) == "reopened"
    assembler.tick(60)
    kinds = [type(it) for it in ended(assembler)]
    assert kinds == [qopen.Reopened, qopen.Completed]


def test_silence_and_the_deadline_end_a_pull(assembler: qopen.Assembler) -> None:
    assembler.tick(59.9)
    assert not ended(assembler)
    assembler.tick(60)
    assert failure(assembler) == "silent"
    slow = qopen.Assembler(deadline=10)
    slow.start("r", "m", 0)
    for now in range(10):
        slow.push(payload_of([(now, "")], True), now)
    slow.tick(10)
    assert failure(slow) == "deadline"


def test_a_late_page_makes_a_revision(assembler: qopen.Assembler) -> None:
    assembler.push(payload_of(ABC[:1], False), 0)
    assembler.tick(3)
    assert assembler.push(payload_of(ABC[1:], True), 4) == "late"
    due = assembler.due()
    assert due is not None
    assembler.tick(due)
    completed, revised = ended(assembler)
    assert isinstance(completed, qopen.Completed)
    assert isinstance(revised, qopen.Revised) and revised.revision == 2
    assert ids(assembler) == ["a", "b", "c"]


def test_an_ended_pull_is_forgotten_with_its_accounts(assembler: qopen.Assembler) -> None:
    assembler.push(payload_of(ABC, False), 0)
    assembler.tick(3)
    assembler.events()
    assembler.tick(603)
    assert ids(assembler) == ["a", "b", "c"]
    (event,) = ended(assembler)
    assert isinstance(event, qopen.Forgotten)
    # Events that were returned with that one may need them.
    assert ids(assembler) == ["a", "b", "c"]
    assert qopen.Assembler.from_bytes(assembler.to_bytes()).progress("r", "m") is None
    assert not ended(assembler)
    with pytest.raises(qopen.PullError, match="no pull") as error:
        assembler.accounts("r", "m")
    assert error.value.reason == "unknown"
    assert assembler.progress("r", "m") is None
    assert assembler.push(payload_of(ABC, False), 604) == "unknown"
    (stray,) = ended(assembler)
    assert isinstance(stray, qopen.Stray)
    assert (stray.reason, stray.robot, stray.mark) == ("unknown_mark", "r", "m")


@pytest.mark.parametrize("adopt", [False, True])
def test_a_new_pull_of_a_forgotten_name_begins_without_accounts(adopt: bool) -> None:
    assembler = qopen.Assembler(adopt=adopt)
    assembler.start("r", "m", 0)
    assembler.push(payload_of(ABC, False), 0)
    assembler.tick(1_000)
    assert [type(it) for it in ended(assembler)] == [qopen.Completed, qopen.Forgotten]
    assert ids(assembler) == ["a", "b", "c"]
    if not adopt:
        assembler.start("r", "m", 1_000)
        assert ids(assembler) == []
    assembler.push(payload_of([("d", "")], False), 1_000)
    assert ids(assembler) == ["d"]
    assembler.finish("r", "m", 1_000)
    assert isinstance(ended(assembler)[0], qopen.Completed)
    assert ids(assembler) == ["d"]
    assert ids(qopen.Assembler.from_bytes(assembler.to_bytes())) == ["d"]


def test_an_expected_number_is_evidence() -> None:
    assembler = qopen.Assembler()
    assembler.start("r", "m", 0, expect_accounts=4)
    assembler.push(payload_of(ABC, False), 0)
    assembler.tick(30)
    progress = assembler.progress("r", "m")
    assert progress is not None and progress.waiting_for == "more_accounts"
    assembler.push(payload_of([("d", "")], True), 30)
    assembler.tick(33)
    (event,) = ended(assembler)
    assert isinstance(event, qopen.Completed) and event.evidence.expected == 4
    assert str(event.evidence) == "last page + quiet 3 s + expected count 4"
    few = qopen.Assembler()
    few.start("r", "m", 0, expect_accounts=4)
    few.push(payload_of(ABC, False), 0)
    few.finish("r", "m", 0)
    assert failure(few) == "fewer_than_expected"


def test_an_account_without_an_id_counts_against_completeness() -> None:
    nameless = payload_of([("a", ""), ("", "without an id")], False)
    for allowed, kind in [(0, qopen.Failed), (1, qopen.Completed)]:
        assembler = qopen.Assembler()
        assembler.start("r", "m", 0, allow_unidentified=allowed)
        assembler.push(nameless, 0)
        assembler.finish("r", "m", 0)
        (event,) = ended(assembler)
        assert isinstance(event, kind)
        assert ids(assembler) == ["a"]


@pytest.mark.parametrize(
    ("damaged", "names"),
    [
        (b'{"event_type":42016,"robot_id":"r","data":{"mark_id":"m","has_more":tru', ("r", "m")),
        (b'{"event_type":42016,"robot_id":"r","data":{"mark_id":"m","account_list":7}}', ("r", "m")),
        (b'{"event_type":42016,"robot_id":"r","data":{"has_more":true}}', ("r", None)),
        (b'{"event_type":42016,"data":{"mark_id":"m","has_more":true}}', (None, "m")),
        (b"\xff\xfe\x00", (None, None)),
        (b"", (None, None)),
        (b'{"event_type":42016,"robot_id":"?","data":{"mark_id":"?","has', ("?", "?")),
    ],
)
def test_what_cannot_be_read_counts_against_completeness(
    assembler: qopen.Assembler, damaged: bytes, names: Tuple[Optional[str], Optional[str]]
) -> None:
    event = qopen.read(damaged)
    assert isinstance(event, qopen.Unreadable)
    assert (event.robot, event.mark) == names
    assembler.push(payload_of(ABC, False), 0)
    assert assembler.push(damaged, 0) == "unreadable"
    assembler.finish("r", "m", 1)
    assert failure(assembler) == "unreadable_pages"
    # A person waives it.
    assembler.release("r", "m", event.digest, 2)
    assembler.finish("r", "m", 2)
    assert [type(it) for it in ended(assembler)] == [qopen.Reopened, qopen.Completed]


def test_what_names_another_pull_counts_only_against_that() -> None:
    assembler = qopen.Assembler()
    for robot, mark in [("r", "m"), ("s", "m"), ("s", "n")]:
        assembler.start(robot, mark, 0)
        assembler.push(payload_of(ABC, False, robot, mark), 0)

    def waiting() -> List[Tuple[str, str]]:
        found = []
        for robot, mark in assembler.open_pulls():
            progress = assembler.progress(robot, mark)
            if progress is not None and progress.unreadable_pages:
                found.append((robot, mark))
        return found

    shape = '{"event_type":42016,"robot_id":"%s","data":{"mark_id":"%s","account_list":7}}'
    assembler.push((shape % ("x", "y")).encode(), 0)
    assert waiting() == []
    assembler.push((shape % ("s", "n")).encode(), 0)
    assert waiting() == [("s", "n")]
    assembler.push(b'{"event_type":42016,"robot_id":"s","data":{"has_more":true}}', 0)
    assert waiting() == [("s", "m"), ("s", "n")]
    assembler.push(b'{"event_type":42016,"data":{"mark_id":"m","account_list":7}}', 0)
    assert waiting() == [("r", "m"), ("s", "m"), ("s", "n")]


def test_other_events_are_no_evidence(assembler: qopen.Assembler) -> None:
    assembler.push(payload_of(ABC, False), 0)
    others = [b'{"event_type":20001}', b'{"event_type":"chat","text":"\xff', b'{"event_type":40023,"mark_id":"x"}']
    for payload in others:
        event = qopen.read(payload)
        assert isinstance(event, qopen.OtherEvent), payload
        assert assembler.push(event, 2) == "other"
    assert assembler.due() == 3.0
    # With the mark of an open pull it may be a page after all.
    suspect = b'{"event_type":40023,"robot_id":"r","data":{"mark_id":"m"}}'
    assert isinstance(qopen.read(suspect), qopen.OtherEvent)
    assert assembler.push(suspect, 2) == "unreadable"
    assembler.finish("r", "m", 2)
    assert failure(assembler) == "unreadable_pages"


def test_an_error_report_ends_its_pull(assembler: qopen.Assembler) -> None:
    report = qopen.read(b'{"event_type":42016,"err_code":5,"err_msg":"no","robot_id":"r","data":{"mark_id":"m"}}')
    assert isinstance(report, qopen.ErrorReport)
    assert (report.robot, report.mark, report.code, report.message) == ("r", "m", 5, "no")
    assert assembler.push(report, 0) == "reported"
    (event,) = ended(assembler)
    assert isinstance(event, qopen.Failed)
    assert (event.reason, event.code, event.message) == ("reported", 5, "no")
    assert assembler.push(payload_of(ABC, False), 0) == "after_failure"


def test_an_error_report_without_a_mark_ends_the_only_pull_requested_by_then() -> None:
    report = b'{"event_type":42016,"err_code":5,"err_msg":"","robot_id":"r"}'
    assembler = qopen.Assembler()
    assembler.start("r", "m", 100)
    assembler.push(report, 100, signed_at=90)
    (stray,) = ended(assembler)
    assert isinstance(stray, qopen.Stray)
    assert (stray.reason, stray.robot, stray.code) == ("unmatched_error", "r", 5)
    assembler.push(report, 100, signed_at=98)
    assert failure(assembler) == "reported"
    assembler.start("r", "n", 100)
    assembler.start("r", "o", 100)
    assembler.push(report, 100)
    (stray,) = ended(assembler)
    assert isinstance(stray, qopen.Stray) and stray.reason == "ambiguous_error"
    # Without a robot, by its mark.
    assembler.push(b'{"event_type":42016,"errcode":5,"data":{"mark_id":"o"}}', 100)
    assert failure(assembler) == "reported"
    assert assembler.open_pulls() == [("r", "n")]


def test_owed_pages_refusals_and_outages_postpone_completion() -> None:
    page, last = payload_of(ABC, True), payload_of([], False)
    event = qopen.read(page)
    assert isinstance(event, qopen.Page)

    owed = qopen.Assembler()
    owed.start("r", "m", 0)
    owed.push(last, 0)
    owed.owe("r", "m", event.digest, 0)
    owed.tick(30)
    progress = owed.progress("r", "m")
    assert progress is not None and (progress.waiting_for, progress.owed_pages) == ("owed_pages", 1)
    owed.push(event, 30)
    owed.tick(33)
    assert isinstance(ended(owed)[0], qopen.Completed)

    refused = qopen.Assembler()
    refused.start("r", "m", 0)
    refused.push(last, 0)
    refused.refused(1, 2)
    refused.tick(59)
    assert not ended(refused)
    refused.tick(61)
    (completed,) = ended(refused)
    assert isinstance(completed, qopen.Completed) and completed.evidence.refusals == 2

    outage = qopen.Assembler()
    outage.start("r", "m", 0)
    outage.push(last, 0)
    outage.outage_began(2, 1)
    outage.tick(1_000)
    assert not ended(outage)
    outage.outage_ended(1_000)
    outage.tick(1_060)
    (completed,) = ended(outage)
    assert isinstance(completed, qopen.Completed) and completed.evidence.outage == 999.0


def test_commands_fail_with_their_reason(assembler: qopen.Assembler) -> None:
    def reason(command: str, *arguments: object) -> str:
        with pytest.raises(qopen.PullError) as error:
            getattr(assembler, command)(*arguments)
        return error.value.reason

    assert reason("start", "r", "m", 0) == "known"
    assert reason("finish", "r", "n", 0) == "not_open"
    assert reason("cancel", "r", "n", 0) == "not_open"
    assert reason("forget", "r", "m", 0) == "not_ended"
    assembler.cancel("r", "m", 0)
    assert failure(assembler) == "cancelled"
    assembler.forget("r", "m", 0)
    assert isinstance(ended(assembler)[0], qopen.Forgotten)
    assembler.start("r", "m", 0, await_acceptance=True)
    progress = assembler.progress("r", "m")
    assert progress is not None and (progress.state, progress.waiting_for) == ("requested", "acceptance")
    assembler.accepted("r", "m", 1)
    progress = assembler.progress("r", "m")
    assert progress is not None and progress.waiting_for == "first_page"
    few = qopen.Assembler(keep_accounts=False)
    few.start("r", "m", 0)
    few.push(payload_of(ABC, False), 0)
    with pytest.raises(qopen.PullError) as error:
        few.accounts("r", "m")
    assert error.value.reason == "no_accounts"
    fold = few.fold("r", "m")
    assert fold is not None and fold.accounts() == []
    with pytest.raises(qopen.PullError) as error:
        assembler.merge(fold, 0)
    assert error.value.reason == "no_accounts"


def test_pulls_of_another_system_are_adopted() -> None:
    assembler = qopen.Assembler(adopt=True)
    assert assembler.push(payload_of(ABC, False, "x", "y"), 0) == "folded"
    assembler.tick(3)
    assert isinstance(ended(assembler)[0], qopen.Completed)


def test_a_saved_assembler_continues_as_the_same() -> None:
    assembler = qopen.Assembler(settle=5, adopt=True)
    assembler.push(payload_of(ABC[:2], True), 1_763_850_000.25)
    with pytest.raises(qopen.StateError, match="1 events wait") as error:
        assembler.to_bytes()
    assert error.value.reason == "events_waiting"
    assembler.events()
    restored = [
        assembler,
        qopen.Assembler.from_bytes(assembler.to_bytes()),
        pickle.loads(pickle.dumps(assembler)),
        copy.copy(assembler),
        copy.deepcopy(assembler),
    ]
    for it in restored:
        assert it.push(payload_of(ABC[:2], True), 1_763_850_001) == "duplicate"
        assert it.push(payload_of(ABC[2:], False), 1_763_850_001) == "folded"
        assert it.due() == 1_763_850_006.0
        it.tick(1_763_850_006)
        assert isinstance(ended(it)[0], qopen.Completed)
        assert ids(it) == ["a", "b", "c"]
    for damaged in (b"", b"{}", b"\xff", b'{"version":1}', b'{"version":"1"}'):
        with pytest.raises(qopen.StateError) as error:
            qopen.Assembler.from_bytes(damaged)
        assert error.value.reason == "damaged"
        with pytest.raises(qopen.StateError):
            qopen.Fold.from_bytes(damaged)
    with pytest.raises(qopen.StateError, match="version 2") as error:
        qopen.Assembler.from_bytes(b'{"version":2}')
    assert error.value.reason == "unknown_version"
    # Accounts that the fold does not have.
    saved = assembler.to_bytes()
    other = saved.replace(b'\\"name\\": \\"1\\"', b'\\"name\\": \\"2\\"')
    assert other != saved
    with pytest.raises(qopen.StateError):
        qopen.Assembler.from_bytes(other)


def test_a_time_that_is_due_is_due_when_it_is_given_back() -> None:
    for settle in (0.1, 1e-6, 2.000001, 3.3333333):
        for now in (0.1, 1_763_850_000.123456, 1_763_850_000.7654321, 4e9 + 1e-6, 8_500_000_000.3):
            assembler = qopen.Assembler(settle=settle, idle_timeout=50.0000001, adopt=True)
            assembler.push(payload_of(ABC, False), now)
            due = assembler.due()
            assert due is not None and abs(due - now - settle) < 3e-6
            assembler.tick(due)
            assert assembler.open_pulls() == []


def test_times_and_digests_out_of_range_are_value_errors(assembler: qopen.Assembler) -> None:
    for seconds in (-1, -1e-6, float("nan"), float("inf"), 1_763_850_000_000, 2**33):
        with pytest.raises(ValueError, match="out of range"):
            assembler.tick(seconds)
        with pytest.raises(ValueError, match="out of range"):
            qopen.Assembler(settle=seconds)
    for digest in ("", "0" * 31, "g" * 32, "é" * 16):
        with pytest.raises(ValueError, match="digest"):
            assembler.owe("r", "m", digest, 0)
    with pytest.raises(OverflowError):
        assembler.refused(0, -1)


def test_threads_share_an_assembler() -> None:
    assembler = qopen.Assembler()
    assembler.start("r", "m", 0)
    pages = [payload_of([(f"{page}-{n}", "x" * 100) for n in range(50)], page < 199) for page in range(200)]
    verdicts: List[str] = []

    def work(first: int) -> None:
        verdicts.extend(assembler.push(pages[(first + n) % 200], 0) for n in range(100))
        assembler.fold("r", "m")

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 50, 100, 150)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(verdicts) == ["duplicate"] * 200 + ["folded"] * 200
    assembler.finish("r", "m", 0)
    assert isinstance(ended(assembler)[-1], qopen.Completed)
    assert len(ids(assembler)) == 10_000
