"""Fixtures."""

from __future__ import annotations

import pytest
from hypothesis import settings
from support import AES_KEY, APP_KEY, TOKEN

import qopen


@pytest.fixture
def keys() -> qopen.Keyring:
    return qopen.Keyring(APP_KEY, TOKEN, AES_KEY)


# A failing example is printed; nothing is written into the folder.
settings.register_profile("qopen", database=None, deadline=None, max_examples=200, print_blob=True)
settings.load_profile("qopen")
