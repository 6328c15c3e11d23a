from typing import Any, Dict, Final, List, Literal, Optional, Union, final

from . import Event

__all__ = [
    "Account",
    "ErrorReport",
    "Keyring",
    "Opened",
    "OtherEvent",
    "Page",
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
