"""Fixtures."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from support import AES_KEY, APP_KEY, TOKEN

import qopen


@pytest.fixture
def keys() -> qopen.Keyring:
    return qopen.Keyring(APP_KEY, TOKEN, AES_KEY)


# A failing example is printed; nothing is written into the folder. A busy machine fails nothing.
settings.register_profile(
    "qopen",
    database=None,
    deadline=None,
    max_examples=200,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("qopen")
