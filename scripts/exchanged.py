"""What the ranks of a training run send each other: bytes of a step of the mlp, for several ways to share its table.

Reads the batches of one epoch of a data directory, and counts the distinct features of each rank's share. R rows of the
table are in a share, U in the batch, F in all, each of H numbers.

    python scripts/exchanged.py data/bbc_news --tier full
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import torch

from textclf.config import TrainConfig
from textclf.training.ranks import Alone
from textclf.training.setup import Setup, required, set_up

NUMBER: Final = 4  # bytes of a float32, and of a row's index
COUNTS: Final = (2, 4, 8)
CPU: Final = torch.device("cpu")


class Share(Alone):
    """One of several ranks, without the others."""

    def __init__(self, share: slice) -> None:
        self.share = share


def rows(setup: Setup, share: slice) -> Iterator[int]:
    """Rows of the table that each batch of an epoch has in this share."""
    batches = replace(setup, ranks=Share(share)).loader("train", CPU)
    batches.batch_sampler.epoch = 1  # type: ignore[union-attr]
    return (len(batch.columns) for batch in batches)


def main() -> None:
    """Print a table, in megabytes that a rank receives in a step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--tier", default="full")
    given = parser.parse_args()
    config = TrainConfig.create(data=str(given.data), tier=given.tier, device="cpu", refit=False)
    setup = set_up(config)
    table, width = setup.features.sizes["features"], required(setup.config.hidden_size)
    whole = np.fromiter(rows(setup, slice(None)), dtype=np.int64)  # U of each step
    print(f"{table:,} rows of {width} numbers, {whole.mean():,.0f} of them in a batch of {setup.config.batch_size}")
    print("ranks  rows of a share  all_reduce of the table  all_gather of rows  Adam sharded by rows")
    row = NUMBER * (width + 1)
    for count in COUNTS:
        own = np.stack([np.fromiter(rows(setup, slice(rank, None, count)), np.int64) for rank in range(count)])  # R
        others = (count - 1) / count
        dense = 2 * others * table * width * NUMBER
        gathered = (count - 1) * own.max(axis=0).mean() * row  # padded to the longest
        sharded = others * (own.max(axis=0).mean() + whole.mean()) * row  # its rows to their owners, and new ones back
        megabytes = (f"{value / 1e6:,.2f} MB" for value in (dense, gathered, sharded))
        print("{:>5}  {:>15,.0f}  {:>23}  {:>18}  {:>20}".format(count, own.mean(), *megabytes))


if __name__ == "__main__":
    main()
