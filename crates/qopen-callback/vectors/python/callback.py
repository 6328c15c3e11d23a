"""Verifies and opens a callback of the qopen platform. Needs the package `cryptography`."""

import base64
import hashlib
import hmac
import json

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


class Refused(Exception):
    """The reason: malformed, app_key, signature or undecryptable."""


def open_callback(body: bytes, app_key: str, token: str, encoding_aes_key: str) -> bytes:
    """Returns the payload. Raises `Refused`, or `ValueError` for a key of the wrong length."""
    key = encoding_aes_key.encode()
    key = base64.b64decode(key + b"=") if len(key) == 43 else key
    decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
    fields = ("app_key", "nonce", "timestamp", "signature", "encoding_content")
    try:
        # A number keeps its digits: they are what the platform signed.
        envelope = json.loads(body.decode(), parse_int=str, parse_float=str)
        sent_key, nonce, timestamp, signature, content = (envelope[it].encode() for it in fields)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Refused("malformed") from error
    if sent_key != app_key.encode():
        raise Refused("app_key")
    signed = b"".join(sorted([sent_key, token.encode(), nonce, timestamp, content]))
    if not hmac.compare_digest(hashlib.md5(signed).hexdigest().encode(), signature):
        raise Refused("signature")
    try:
        encrypted = base64.b64decode(content, validate=True)
        plain = decryptor.update(encrypted) + decryptor.finalize()
    except ValueError as error:
        raise Refused("undecryptable") from error
    padding = plain[-1] if plain else 0
    if not 1 <= padding <= 32 or not plain.endswith(bytes([padding]) * padding):
        raise Refused("undecryptable")
    return plain[:-padding]
