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
    Assembler,
    Completed,
    ErrorReport,
    Evidence,
    Failed,
    Fold,
    Forgotten,
    Keyring,
    Opened,
    OtherEvent,
    Page,
    Progress,
    Progressed,
    Reopened,
    Revised,
    Stray,
    Unreadable,
    __version__,
    open as open,
    read,
)

#: What a payload says.
Event = Union[Page, ErrorReport, Unreadable, OtherEvent]

#: What became of pulls.
Outcome = Union[Progressed, Completed, Failed, Reopened, Revised, Forgotten, Stray]

# Without `open`, so that `from qopen import *` leaves Python's own in place.
__all__ = [
    "Account",
    "AppKeyError",
    "Assembler",
    "Completed",
    "EnvelopeError",
    "ErrorReport",
    "Event",
    "Evidence",
    "Failed",
    "Fold",
    "Forgotten",
    "InvalidKeyError",
    "Keyring",
    "OpenError",
    "Opened",
    "OtherEvent",
    "Outcome",
    "Page",
    "PayloadError",
    "Progress",
    "Progressed",
    "PullError",
    "QopenError",
    "Reopened",
    "Revised",
    "SignatureError",
    "StaleError",
    "StateError",
    "Stray",
    "UndecryptableError",
    "Unreadable",
    "__version__",
    "read",
]
