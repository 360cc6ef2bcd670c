"""A fresh bucket for each test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from tests.s3.moto import Moto


@pytest.fixture
def bucket(moto: Moto) -> Iterator[str]:
    """Name of a fresh bucket."""
    name = f"test-{uuid.uuid4().hex}"
    moto.make_bucket(name)
    yield name
    moto.remove_bucket(name)
