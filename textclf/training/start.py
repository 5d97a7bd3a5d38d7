"""The start of training: the data is prepared while torch loads."""

from concurrent.futures import ThreadPoolExecutor

from textclf.config import TrainConfig
from textclf.dataset import manifest
from textclf.dataset.directory import DataDirectory
from textclf.training.prepared import Prepared, find_data, prepare


def prepare_while_torch_loads(config: TrainConfig) -> Prepared:
    """Prepare the data in a thread while torch loads; raises what `prepare` raises, before that if there is no data."""
    root = find_data(config)
    manifest.read_manifest(root)
    with ThreadPoolExecutor(1) as thread:
        ready = thread.submit(lambda: prepare(config, DataDirectory.open(root)))
        import textclf.training.run  # noqa: F401  which imports torch

        return ready.result()
