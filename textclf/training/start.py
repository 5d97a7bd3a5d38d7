"""The start of training: the data is made ready while torch loads, as both take a second or two."""

from concurrent.futures import ThreadPoolExecutor

from textclf import processes
from textclf.config import TrainConfig
from textclf.store.directory import DataDirectory
from textclf.training.prepared import Prepared, find_data, prepare


def prepare_while_torch_loads(config: TrainConfig) -> Prepared:
    """What `textclf.training.run.train` begins with.

    Raises what `prepare` raises; that there is no such data, before torch is loaded.
    """
    data = processes.apart(DataDirectory.open, find_data(config))  # else Arrow would stay: 40 MB
    with ThreadPoolExecutor(1) as pool:
        ready = pool.submit(prepare, config, data)
        import textclf.training.run  # noqa: F401  the module that loads torch, and all else that training needs

        return ready.result()
