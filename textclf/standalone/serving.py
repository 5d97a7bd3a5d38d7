"""The model of one file, served over HTTP as `textclf serve` serves that of a run."""

from collections.abc import Callable
from pathlib import Path

from textclf.artefacts import loading, model_folder
from textclf.inference.classifier import Classifier
from textclf.system import requirements


def serve(path: Path, host: str, port: int, *, say: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM; raises UsageError if a package is missing or the address cannot be listened on."""
    requirements.need("--serve", requirements.SERVING)
    from textclf.serve import launch

    served = {path.stem: (Classifier(loading.load(path)), model_folder.read_card(path))}
    launch.serve(served, launch.Where(host, port), say=say, warn=say)
