"""Verifies and opens the callbacks of the qopen platform, and assembles customer lists from their pages."""

from typing import Union

from ._errors import (
    AppKeyError,
    EnvelopeError,
    InvalidKeyError,
    OpenError,
    PayloadError,
    PullError,
    QopenError,
    SignatureError,
    StaleError,
    StateError,
    UndecryptableError,
)
from ._native import (
    Account,
    ErrorReport,
    Keyring,
    Opened,
    OtherEvent,
    Page,
    Unreadable,
    __version__,
    open as open,
    read,
)

#: What a payload says.
Event = Union[Page, ErrorReport, Unreadable, OtherEvent]

# Without `open`, so that `from qopen import *` leaves Python's own in place.
__all__ = [
    "Account",
    "AppKeyError",
    "EnvelopeError",
    "ErrorReport",
    "Event",
    "InvalidKeyError",
    "Keyring",
    "OpenError",
    "Opened",
    "OtherEvent",
    "Page",
    "PayloadError",
    "PullError",
    "QopenError",
    "SignatureError",
    "StaleError",
    "StateError",
    "UndecryptableError",
    "Unreadable",
    "__version__",
    "read",
]
