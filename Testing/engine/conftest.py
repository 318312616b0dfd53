"""Fixtures of the engine's tests."""

from __future__ import annotations

import httpx
import pytest
from service_running import TOKEN, running

from msam.client import Client


@pytest.fixture(scope="module")
def service():
    with running() as (endpoint, engine):
        yield endpoint, engine


@pytest.fixture
def client(service):
    with Client(service[0]) as client:
        yield client


@pytest.fixture
def plain(service):
    """Requests without the client's help."""
    with httpx.Client(base_url=service[0].url, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False) as plain:
        yield plain
