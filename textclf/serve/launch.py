"""Starts the service of some models: who calls it has loaded them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from textclf.inference.classifier import Classifier
from textclf.serve import app, server
from textclf.serve.counting import Counts
from textclf.serve.served_run import ServedRun

LOCAL: Final = ("127.0.0.1", "::1", "localhost")


class Where(NamedTuple):
    """Where a service listens, and to whom."""

    host: str
    port: int
    """0: any free port."""
    hosts: Sequence[str] = ()
    """Host names that are accepted in addition."""
    workers: int = 1


def serve(
    models: Mapping[str, tuple[Classifier, str]],
    where: Where,
    *,
    say: Callable[[str], None],
    warn: Callable[[str], None],
) -> None:
    """Serve models, each with its card, until SIGTERM or SIGINT; ``say`` shows where.

    Raises UsageError if the address cannot be listened on.
    """
    counts = Counts(where.workers, {name: classifier.labels for name, (classifier, _) in models.items()})
    served = {name: ServedRun(name, classifier, card, counts) for name, (classifier, card) in models.items()}
    listening = server.listen(where.host, where.port)
    address, port = listening.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    if where.host not in LOCAL:
        warn(f"warning: other machines can reach {where.host}, and there is no login")
    say(f"serving {' and '.join(served)} at http://{shown}:{port}/; Ctrl-C stops")
    names = (*where.hosts, shown)
    server.run(
        lambda worker: app.build(served, hosts=names, counts=counts.of(worker)), listening, workers=where.workers
    )
