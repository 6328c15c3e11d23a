"""The exceptions. ``reason`` is a name that does not change, for logs, metrics and decisions."""


class QopenError(Exception):
    """The base of every exception of this package."""

    reason: str = "error"


class OpenError(QopenError):
    """A callback was refused."""


class EnvelopeError(OpenError):
    """The body is not an envelope. Answer 400."""

    reason = "malformed"


class AppKeyError(OpenError):
    """The envelope is for another app. Answer 401."""

    reason = "app_key"


class SignatureError(OpenError):
    """No callback token of the ring made the signature. Answer 401."""

    reason = "signature"


class StaleError(OpenError):
    """The timestamp is stale or unreadable, and ``refuse_stale`` was set. Answer 400."""

    reason = "stale"


class UndecryptableError(OpenError):
    """The signature holds, and no key opens the content: the callback is genuine. Answer 400."""

    reason = "undecryptable"


class PayloadError(QopenError):
    """A text of the platform is not JSON that Python can hold."""

    reason = "payload"


class InvalidKeyError(QopenError, ValueError):
    """A text is not an EncodingAESKey."""

    reason = "invalid_key"


class PullError(QopenError):
    """A command does not fit the pull's state.

    ``reason`` is ``known``, ``too_many_pulls``, ``unknown``, ``not_open``, ``not_ended``, ``no_accounts`` or
    ``pull_mismatch``.
    """

    reason = "pull"


class StateError(QopenError, ValueError):
    """An assembler cannot be saved or restored.

    ``reason`` is ``events_waiting``, ``unknown_version`` or ``damaged``.
    """

    reason = "state"
