"""What torchrun tells the processes that it starts: https://docs.pytorch.org/docs/stable/elastic/run.html.

It sets environment variables, and starts all processes again after one has failed, if it may.
"""

import os
from typing import Final, NamedTuple

_NAMES: Final = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT")
_RUN_ID: Final = "TORCHELASTIC_RUN_ID"
"""Set by torchrun alone; clusters set some of the others for programs of one process, too."""


class Process(NamedTuple):
    """One of the processes of a torchrun."""

    rank: int
    ranks: int
    """Processes on all machines."""
    local_rank: int
    """Rank among the processes of this machine."""
    local_ranks: int
    machine: int
    """Number of this machine."""
    address: str
    port: int
    """Where the store listens, through which the processes find each other."""
    attempt: int
    """How often torchrun has started the processes again."""
    has_store: bool
    """Whether torchrun itself keeps the store, so that it outlives the processes."""


def launched() -> Process | None:
    """This process, if torchrun has started it."""
    given = os.environ
    if _RUN_ID not in given or not all(given.get(name) for name in _NAMES):
        return None
    rank, ranks, local_rank, local_ranks, machine = (int(given[name]) for name in _NAMES[:5])
    return Process(
        rank,
        ranks,
        local_rank,
        local_ranks,
        machine,
        given["MASTER_ADDR"],
        int(given["MASTER_PORT"]),
        int(given.get("TORCHELASTIC_RESTART_COUNT", "0")),
        given.get("TORCHELASTIC_USE_AGENT_STORE") == "True",
    )
