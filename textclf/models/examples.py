"""Documents as a model's ``collate`` gets them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Examples(NamedTuple):
    """B documents, end to end."""

    tokens: NDArray[np.int32]
    """Shape (N,), N the sum of the lengths."""
    lengths: NDArray[np.int64]
    """Shape (B,)."""
    labels: NDArray[np.int64]
    """Shape (B,); -1 for a label that the training split does not have."""
    rows: NDArray[np.int64] | None = None
    """Shape (B,), places in documents.parquet; None: they are not from there."""
