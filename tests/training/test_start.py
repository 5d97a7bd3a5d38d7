import subprocess
import sys

import pytest

from tests.conftest import small_config
from textclf.config import TrainConfig
from textclf.dataset.directory import DataDirectory
from textclf.errors import UsageError
from textclf.training.prepared import prepare
from textclf.training.start import prepare_while_torch_loads


def test_it_prepares_what_prepare_does(data_dir, tmp_path):
    config = small_config("mlp", data_dir, tmp_path)
    ready, expected = prepare_while_torch_loads(config), prepare(config, DataDirectory.open(data_dir))
    assert ready.config == expected.config
    assert ready.inputs.rarity.tolist() == expected.inputs.rarity.tolist()


def test_data_that_is_not_there_is_told_before_torch_is_loaded():
    code = (
        "import sys\nfrom textclf.config import TrainConfig\nfrom textclf.errors import UsageError\n"
        "from textclf.training.start import prepare_while_torch_loads\n"
        "try:\n    prepare_while_torch_loads(TrainConfig.create())\n"
        "except UsageError:\n    sys.exit('torch' in sys.modules)\nsys.exit(2)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(UsageError, match="no data under data"):
        prepare_while_torch_loads(TrainConfig.create())
