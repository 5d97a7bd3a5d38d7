"""Several ranks for tests: forked processes, connected as those that torchrun starts."""

import multiprocessing
import traceback
from math import inf
from typing import Any, NamedTuple

import torch
from torch._C._distributed_c10d import TCPStore

from textclf.errors import TextclfError
from textclf.system.torchrun import Process
from textclf.training import parallel
from textclf.training.checkpoint import Pace
from textclf.training.display import Display
from textclf.training.distributed import joined

WAIT = 120  # seconds


class Outcome(NamedTuple):
    """How a rank ended."""

    code: int
    """That of an exit."""
    value: Any = None
    """What its function returned, or the message of its error."""


def make_store():
    """What torchrun keeps, and what outlives the processes."""
    return TCPStore("127.0.0.1", 0, None, True, wait_for_workers=False)


def ranks(count, function, *, attempt=0, store=None):
    """Call the function with each of the connected ranks in a process of its own; returns how each ended."""
    context = multiprocessing.get_context("fork")
    store = store or make_store()
    processes = []
    for rank in range(count):
        receiver, sender = context.Pipe(duplex=False)
        process = Process(rank, count, rank, count, 0, "127.0.0.1", store.port, attempt, has_store=True)
        processes.append((context.Process(target=_run, args=(process, function, sender)), receiver))
        processes[-1][0].start()
        sender.close()  # here: a receiver whose rank is killed comes to an end
    outcomes = []
    for process, receiver in processes:
        assert receiver.poll(WAIT), "a rank hangs"
        try:
            outcome = receiver.recv()
        except EOFError:  # it was killed
            outcome = None
        process.join(WAIT)
        outcomes.append(outcome or Outcome(process.exitcode))
    return outcomes


def _run(process, function, sender):
    torch.set_num_threads(1)
    try:
        with joined(process) as rank:
            outcome = Outcome(0, function(rank))
    except TextclfError as error:
        outcome = Outcome(error.exit_code, str(error))
    except SystemExit as error:
        outcome = Outcome(error.code, None)
    except Exception:
        outcome = Outcome(1, traceback.format_exc())
    sender.send(outcome)


def train(config, count, *, displays=None, pace=None, layout=None, **more):
    """Train a run by that many ranks, or resume one; returns it, or how the ranks ended if one failed."""

    def trained(rank):
        display = (displays or {}).get(rank.rank, Display)()
        if layout is not None:
            return parallel.resume(layout, rank, display=display, pace=pace)
        return parallel.train(config(rank.rank) if callable(config) else config, rank, display=display, pace=pace)

    outcomes = ranks(count, trained, **more)
    return outcomes[0].value if all(outcome.code == 0 for outcome in outcomes) else outcomes


EVERY_STEP = Pace(0.0, inf)
