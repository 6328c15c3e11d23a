"""Fixtures."""

from __future__ import annotations

import pytest
from support import AES_KEY, APP_KEY, TOKEN

import qopen


@pytest.fixture
def keys() -> qopen.Keyring:
    return qopen.Keyring(APP_KEY, TOKEN, AES_KEY)
