"""The start of training: the data is made ready while torch loads, as both take a second or two."""

from pathlib import Path

from textclf.config import TrainConfig
from textclf.dataset import manifest
from textclf.dataset.directory import DataDirectory
from textclf.system import startup, workers
from textclf.training.prepared import Prepared, find_data, prepare


def prepare_while_torch_loads(config: TrainConfig) -> Prepared:
    """What `textclf.training.run.train` begins with.

    Raises what `prepare` raises; that there is no such data, before torch is loaded. A process of its own prepares it,
    as Python loads and works out one thing at a time, and Arrow, which reads the table of documents, would stay: 40 MB.
    """
    root = find_data(config)
    manifest.read_manifest(root)
    with workers.apart(_open_and_prepare, config, root) as ready:
        with startup.loading_to_stay():
            import textclf.training.run  # noqa: F401  the module that loads torch, and all else that training needs

        return ready()


def _open_and_prepare(config: TrainConfig, root: Path) -> Prepared:
    return prepare(config, DataDirectory.open(root))
