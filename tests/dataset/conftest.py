import pytest

from tests.conftest import TEXTS
from tests.dataset.growing import rows_of, write
from textclf.config import PreprocessConfig
from textclf.dataset.build import preprocess


@pytest.fixture
def base(tmp_path):
    """A data directory of 96 documents, in a folder of its own."""

    def make(rows=None, **given):
        path = write(tmp_path / "base.csv", rows or rows_of(TEXTS, range(8)))
        given = {"source": str(path), "data_dir": tmp_path / "data", "num_workers": 1, **given}
        return preprocess(PreprocessConfig(**given))[0]

    return make
