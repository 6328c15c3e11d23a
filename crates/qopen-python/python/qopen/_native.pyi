from typing import Any, Dict, Final, List, Literal, Optional, Tuple, Union, final

from . import Event, Outcome

__all__ = [
    "Account",
    "Assembler",
    "Completed",
    "ErrorReport",
    "Evidence",
    "Failed",
    "Fold",
    "Forgotten",
    "Keyring",
    "Opened",
    "OtherEvent",
    "Page",
    "Progress",
    "Progressed",
    "Reopened",
    "Revised",
    "Stray",
    "Unreadable",
    "__version__",
    "open",
    "read",
]

__version__: Final[str]

_Envelope = Union[bytes, bytearray, memoryview, str, Dict[str, Any]]

@final
class Keyring:
    """An app's key, and every pair of callback token and EncodingAESKey that is valid at present.

    The first pair seals; any pair opens. To rotate without a gap, add the new pair, change the platform's
    console, then remove the old pair.
    """

    def __new__(cls, app_key: str, token: str, encoding_aes_key: str) -> Keyring:
        """Raises `InvalidKeyError` if the EncodingAESKey has the wrong length or form."""

    def with_keys(self, token: str, encoding_aes_key: str) -> Keyring:
        """Returns a ring with one more pair, tried after the earlier ones."""

    @property
    def app_key(self) -> str:
        """The app's public key, which every envelope names."""

    def open(
        self,
        envelope: _Envelope,
        *,
        now: Optional[float] = None,
        tolerance: float = 300.0,
        refuse_stale: bool = False,
    ) -> Opened:
        """Verifies and decrypts a callback, as `qopen.open` does."""

    def seal(self, payload: bytes, *, nonce: str, timestamp: int, padding: int = 16) -> bytes:
        """Encrypts and signs a payload with the first pair, as the platform does. Returns the body.

        `timestamp` is in seconds since the Unix epoch. `padding` is 16 or 32 bytes.
        """

@final
class Opened:
    """A callback that was verified and decrypted. Only `open` makes one."""

    @property
    def payload(self) -> bytes:
        """The decrypted payload, byte for byte: usually JSON."""

    @property
    def event_type(self) -> Union[int, str, None]:
        """The event type that the payload names: 42016 is a page of a customer list."""

    @property
    def key_index(self) -> int:
        """Index of the pair that opened it, counted from 0."""

    @property
    def signed_at(self) -> Optional[int]:
        """Time of the signature, in seconds since the Unix epoch; `None` if the timestamp is not a number."""

    @property
    def freshness(self) -> Optional[Literal["fresh", "stale", "unreadable"]]:
        """How the timestamp compares with `now`; `None` if no `now` was given."""

    @property
    def readings(self) -> List[str]:
        """Tolerated spellings that opening it needed, by name."""

    def event(self) -> Event:
        """Reads the payload as `read` does."""

    def json(self) -> Any:
        """Reads the payload as JSON, repaired if needed. Raises `PayloadError` if it is not JSON."""

@final
class Account:
    """A customer of a page. Two are equal if their ids and contents are."""

    @property
    def id(self) -> str:
        """The customer's id."""

    @property
    def raw(self) -> str:
        """The customer's JSON as the platform sent it."""

    def json(self) -> Any:
        """Reads the customer's JSON. Raises `PayloadError` if Python cannot hold it."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Page:
    """A page of a customer list."""

    @property
    def robot(self) -> str:
        """The robot's id."""

    @property
    def mark(self) -> str:
        """The mark of the request. Robot and mark name the pull."""

    @property
    def digest(self) -> str:
        """The digest of the payload. Copies of a page have equal digests."""

    @property
    def has_more(self) -> Optional[bool]:
        """Whether the platform says that more pages follow; `None` if it does not say."""

    @property
    def accounts(self) -> List[Account]:
        """The customers that have a readable id, in order."""

    @property
    def unidentified(self) -> int:
        """Customers that have no readable id."""

    @property
    def readings(self) -> List[str]:
        """Tolerated spellings that reading it needed, by name."""

@final
class ErrorReport:
    """The platform's report that a pull failed."""

    @property
    def robot(self) -> Optional[str]:
        """The robot's id, if the report names it."""

    @property
    def mark(self) -> Optional[str]:
        """The mark of the request, if the report names it."""

    @property
    def code(self) -> int:
        """The platform's code; never 0."""

    @property
    def message(self) -> str:
        """The platform's message."""

@final
class Unreadable:
    """A payload that may hold a page and cannot be read. It speaks against completeness: keep its bytes."""

    @property
    def robot(self) -> Optional[str]:
        """The robot's id, if it is readable."""

    @property
    def mark(self) -> Optional[str]:
        """The mark of the request, if it is readable."""

    @property
    def reason(self) -> str:
        """Why it cannot be read; never quotes the payload."""

    @property
    def digest(self) -> str:
        """The digest of the payload."""

@final
class OtherEvent:
    """An event that is no page, such as a chat message."""

    @property
    def event_type(self) -> Union[int, str, None]:
        """The event type that the payload names."""

_State = Literal["requested", "collecting", "settling", "completed", "failed"]
_WaitingFor = Literal[
    "acceptance",
    "first_page",
    "last_page",
    "owed_pages",
    "unreadable_pages",
    "identification",
    "more_accounts",
    "quiet",
    "nothing",
]
_Verdict = Literal[
    "folded",
    "duplicate",
    "late",
    "reopened",
    "after_failure",
    "unknown",
    "limit_reached",
    "backlog",
    "reported",
    "unreadable",
    "other",
]
_FailureReason = Literal[
    "silent",
    "last_page_missing",
    "fewer_than_expected",
    "unreadable_pages",
    "unidentified_accounts",
    "owed_pages",
    "deadline",
    "reported",
    "cancelled",
    "limit_reached",
]
_StrayReason = Literal[
    "unknown_mark",
    "page_after_failure",
    "unfolded_after_end",
    "late_page_over_limit",
    "ambiguous_error",
    "unmatched_error",
    "conflict",
]

@final
class Assembler:
    """Folds the pages of many pulls into one list per pull, in any order, with copies and late pages.

    It has no clock, no I/O and no thread. `now` is the caller's time in seconds from 0 to 2**33, from an
    epoch of the caller's choosing; `time.time()` will do. A `now` that goes back counts as the latest time
    seen. What was due before `now` happens first.

    Threads may share an assembler: each method is atomic. `pickle` and `copy` work when no event waits.
    """

    def __new__(
        cls,
        *,
        settle: float = 3.0,
        idle_timeout: float = 60.0,
        deadline: float = 1800.0,
        retention: float = 600.0,
        adopt: bool = False,
        keep_accounts: bool = True,
    ) -> Assembler:
        """Makes an assembler without pulls.

        `settle`: seconds of quiet after the last page that complete a list. `idle_timeout`: seconds of silence
        that end a pull before a last page. `deadline`: the longest duration of a pull, in seconds.
        `retention`: how long an ended pull is remembered, in seconds, so that late pages find it. `adopt`:
        whether the first page of a pull that was never started here opens it. `keep_accounts`: whether the
        JSON of the accounts is kept, for `accounts`; without it an account costs 32 bytes.
        """

    def start(
        self,
        robot: str,
        mark: str,
        now: float,
        *,
        expect_accounts: Optional[int] = None,
        allow_unidentified: int = 0,
        await_acceptance: bool = False,
        requested_before: float = 0.0,
        interrupted: bool = False,
    ) -> None:
        """Opens a pull, before its request is sent: pages may come before the platform's answer.

        `expect_accounts`: fewest accounts of a complete list. `allow_unidentified`: accounts without a
        readable id that the list may lack. `await_acceptance`: whether silence counts only from `accepted`
        on. `requested_before`: seconds between the request and this call. `interrupted`: whether the
        receiver was down for a while after the request.

        Raises `PullError`: `known`, `too_many_pulls`.
        """

    def push(
        self,
        event: Union[Opened, Event, bytes],
        now: float,
        *,
        signed_at: Optional[float] = None,
    ) -> _Verdict:
        """Takes in an opened callback, an event, or a payload, and says what became of it.

        `folded`: the page is in the list. `duplicate`: it was before. `late`: its list was complete, and a
        new revision follows. `reopened`: its pull had failed, and waits again. `after_failure`, `unknown`,
        `limit_reached`: it is not in the list. `backlog`: poll `events`, then push it again. `reported`:
        the platform reported an error. `unreadable`: it counts against completeness until it is pushed in
        readable form or released; keep its bytes. `other`: no page.

        `signed_at` is when an error report was signed, in the caller's time. A report without a mark ends
        only a pull that had been requested by then.
        """

    def tick(self, now: float) -> None:
        """Reports that time has passed: ends what is due and forgets what is old."""

    def due(self) -> Optional[float]:
        """The time at which to call `tick` if nothing happens before; `None` if nothing is due."""

    def events(self) -> List[Outcome]:
        """Returns the events that wait, oldest first, each once. Call it after each other call."""

    def progress(self, robot: str, mark: str) -> Optional[Progress]:
        """A pull's state and figures, while it is open or remembered."""

    def accounts(self, robot: str, mark: str) -> List[Account]:
        """The accounts of a pull so far, sorted by their ids. The list is complete once `Completed` came. After
        `Forgotten`, the accounts remain until the next call of `events`.

        Raises `PullError`: `unknown`, `no_accounts`.
        """

    def open_pulls(self) -> List[Tuple[str, str]]:
        """Robot and mark of each open pull, in their order."""

    def accepted(self, robot: str, mark: str, now: float) -> None:
        """Reports that the platform accepted the request: silence begins to count."""

    def finish(self, robot: str, mark: str, now: float) -> None:
        """Declares that no more pages will come, as at the end of a file. The pull ends at once: complete if
        a last page was seen and nothing counts against it.

        Raises `PullError`: `not_open`.
        """

    def cancel(self, robot: str, mark: str, now: float) -> None:
        """Ends a pull at once, without a complete list. Raises `PullError`: `not_open`."""

    def forget(self, robot: str, mark: str, now: float) -> None:
        """Forgets an ended pull before its time. Raises `PullError`: `not_ended`."""

    def owe(self, robot: str, mark: str, digest: str, now: float) -> None:
        """Reports a page that could not be kept, so that the platform must send it again. The pull is not
        complete before that. `digest` is that of `Page`."""

    def release(self, robot: str, mark: str, digest: str, now: float) -> None:
        """Waives an unreadable page: it no longer counts against completeness. `digest` is that of
        `Unreadable`."""

    def refused(self, now: float, count: int = 1) -> None:
        """Reports refused callbacks that may have been pages. For one idle timeout, open pulls settle with
        the idle timeout's patience."""

    def outage_began(self, now: float, since: float) -> None:
        """Reports that since `since` the caller cannot receive: nothing ends by silence meanwhile."""

    def outage_ended(self, now: float) -> None:
        """Reports that the caller receives again. The outage does not count as quiet."""

    def fold(self, robot: str, mark: str) -> Optional[Fold]:
        """A pull's list so far, to be merged elsewhere. Later pages do not change it."""

    def merge(self, fold: Fold, now: float) -> None:
        """Merges the fold of another process into the open pull of its robot and mark.

        Raises `PullError`: `not_open`, `no_accounts`.
        """

    def to_bytes(self) -> bytes:
        """Saves settings, pulls and accounts. Raises `StateError`, `events_waiting`: poll `events` first."""

    @staticmethod
    def from_bytes(data: bytes) -> Assembler:
        """Restores an assembler, which continues exactly as the saved one.

        Raises `StateError`: `unknown_version`, `damaged`.
        """

    def __reduce__(self) -> Tuple[Any, ...]: ...
    def __setstate__(self, state: bytes, /) -> None: ...

@final
class Fold:
    """The list of one pull so far. It depends on the set of pages alone; merging is commutative, associative
    and idempotent."""

    @property
    def robot(self) -> str:
        """The robot's id."""

    @property
    def mark(self) -> str:
        """The mark of the request."""

    @property
    def pages(self) -> int:
        """Different pages."""

    def accounts(self) -> List[Account]:
        """The accounts, sorted by their ids; none if its assembler keeps none."""

    def merge(self, other: Fold) -> Fold:
        """Returns the fold of what both have seen. Raises `PullError`: `pull_mismatch`."""

    def to_bytes(self) -> bytes:
        """Saves it."""

    @staticmethod
    def from_bytes(data: bytes) -> Fold:
        """Restores a fold. Raises `StateError`: `unknown_version`, `damaged`."""

    def __eq__(self, other: object, /) -> bool: ...
    __hash__ = None  # type: ignore[assignment]

@final
class Progress:
    """A pull's state and figures at a moment."""

    @property
    def state(self) -> _State:
        """The pull's state. Only `completed` has a complete list."""

    @property
    def waiting_for(self) -> _WaitingFor:
        """What it waits for."""

    @property
    def pages(self) -> int:
        """Different pages."""

    @property
    def accounts(self) -> int:
        """Different accounts."""

    @property
    def duplicate_pages(self) -> int:
        """Copies of pages."""

    @property
    def conflicts(self) -> int:
        """Accounts of which more than one content came."""

    @property
    def unreadable_pages(self) -> int:
        """Unreadable pages that count against completeness."""

    @property
    def owed_pages(self) -> int:
        """Pages that the platform must send again."""

    @property
    def unidentified(self) -> int:
        """Accounts without a readable id."""

    @property
    def refusals(self) -> int:
        """Callbacks of any pull that were refused while this one was open."""

    @property
    def last_page_seen(self) -> bool:
        """Whether a page that is marked as the last came."""

    @property
    def revision(self) -> int:
        """The revision of the list; 0 before it is complete."""

    @property
    def revising(self) -> bool:
        """Whether late pages came that are not in that revision."""

    @property
    def started(self) -> float:
        """When the pull was started."""

    @property
    def last_activity(self) -> float:
        """When its last callback came."""

    @property
    def due(self) -> Optional[float]:
        """When it ends if nothing happens; `None` after its end."""

    def __eq__(self, other: object, /) -> bool: ...
    __hash__ = None  # type: ignore[assignment]

@final
class Evidence:
    """Why a list counts as complete. A last page was seen in every case. `str` gives one line for people."""

    @property
    def quiet(self) -> Optional[float]:
        """Seconds of quiet after the last page, at least; `None` if the caller declared the end."""

    @property
    def expected(self) -> Optional[int]:
        """The expected number of accounts, which was reached; `None` if none was given."""

    @property
    def declared(self) -> bool:
        """Whether the caller declared that no more pages would come."""

    @property
    def implied_end(self) -> bool:
        """Whether no page said `has_more: false`, and one did not say whether more would follow."""

    @property
    def refusals(self) -> int:
        """Callbacks that were refused while the pull was open."""

    @property
    def outage(self) -> float:
        """Seconds in which the caller could not receive."""

    @property
    def unidentified(self) -> int:
        """Accounts without a readable id that the list lacks, as the caller allowed."""

    @property
    def earlier(self) -> bool:
        """Whether the list was complete in an earlier run."""

    @property
    def interrupted(self) -> bool:
        """Whether the receiver was down for a while after the request."""

    def __eq__(self, other: object, /) -> bool: ...
    __hash__ = None  # type: ignore[assignment]

@final
class Progressed:
    """A pull's progress changed. At most one waits for each pull."""

    @property
    def robot(self) -> str:
        """The robot's id."""

    @property
    def mark(self) -> str:
        """The mark of the request."""

@final
class Completed:
    """A list is complete, as far as any evidence tells."""

    @property
    def robot(self) -> str:
        """The robot's id."""

    @property
    def mark(self) -> str:
        """The mark of the request."""

    @property
    def evidence(self) -> Evidence:
        """Why the list counts as complete."""

    @property
    def progress(self) -> Progress:
        """The figures at the end."""

@final
class Failed:
    """A pull ended without a complete list."""

    @property
    def robot(self) -> str:
        """The robot's id."""

    @property
    def mark(self) -> str:
        """The mark of the request."""

    @property
    def reason(self) -> _FailureReason:
        """Why."""

    @property
    def code(self) -> Optional[int]:
        """The platform's code, if it reported an error."""

    @property
    def message(self) -> Optional[str]:
        """The platform's message, if it reported an error."""

    @property
    def progress(self) -> Progress:
        """The figures at the end."""

@final
class Reopened:
    """A page came after the pull had failed: `Completed` or `Failed` follows."""

    @property
    def robot(self) -> str:
        """The robot's id."""

    @property
    def mark(self) -> str:
        """The mark of the request."""

@final
class Revised:
    """Late pages made a new revision of a complete list."""

    @property
    def robot(self) -> str:
        """The robot's id."""

    @property
    def mark(self) -> str:
        """The mark of the request."""

    @property
    def revision(self) -> int:
        """The number of the new revision; a completed list has revision 1."""

@final
class Forgotten:
    """An ended pull was forgotten. Its last event."""

    @property
    def robot(self) -> str:
        """The robot's id."""

    @property
    def mark(self) -> str:
        """The mark of the request."""

@final
class Stray:
    """A fact that fits no pull, or no open one. It never ends a pull."""

    @property
    def reason(self) -> _StrayReason:
        """What it is."""

    @property
    def robot(self) -> Optional[str]:
        """The robot's id, if it is known."""

    @property
    def mark(self) -> Optional[str]:
        """The mark of the request, if it is known."""

    @property
    def digest(self) -> Optional[str]:
        """The digest of the page, if it is one."""

    @property
    def code(self) -> Optional[int]:
        """The platform's code, if it is an error report."""

    @property
    def message(self) -> Optional[str]:
        """The platform's message, if it is an error report."""

def open(
    envelope: _Envelope,
    keys: Keyring,
    *,
    now: Optional[float] = None,
    tolerance: float = 300.0,
    refuse_stale: bool = False,
) -> Opened:
    """Verifies the signature of a callback in constant time, then decrypts it.

    Give the body's bytes as they came. From a dict the signature of a timestamp that was a number with a
    fraction may not hold. `now` is the time in seconds since the Unix epoch: with it, `freshness` says
    whether the timestamp is at most `tolerance` seconds away, and `refuse_stale` refuses a callback whose
    timestamp is not. Whether the platform renews the timestamp of a repeated callback is unknown: refusing
    stale callbacks may lose pages.

    Raises a subclass of `OpenError`, whose `reason` says why.
    """

def read(payload: bytes) -> Event:
    """Reads a payload: a page, an error report, another event, or what cannot be read. Never raises."""
