from pathlib import Path

import pytest

from tests.encoders import tiny
from textclf.encoders import Encoder, encoder, published


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A published encoder."""
    return tiny.write(tmp_path / "published" / "small")


@pytest.fixture
def small(folder: Path) -> Encoder:
    return encoder.parse(published.read(folder, name="small"), folder)
