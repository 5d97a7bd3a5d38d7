"""The two verbs that make something, as functions: settings by keyword, a path in return."""

from pathlib import Path
from typing import Any

from textclf.config import PreprocessConfig, TrainConfig


def preprocess(source: str = "bbc_news", **settings: Any) -> Path:
    """Make a data directory from a corpus name, a Hub dataset, a file or a folder, and return its path.

    Keywords are the fields of `config.PreprocessConfig`. One process by default, as a script must guard its main module
    (``if __name__ == "__main__":``) before it may start more. Raises `TextclfError`.
    """
    from textclf.dataset import build

    path, _ = build.preprocess(PreprocessConfig(source=source, **{"num_workers": 1, **_paths(settings)}))
    return path


def train(**settings: Any) -> Path:
    """Train a model and return its run directory.

    Keywords are the fields of `config.TrainConfig`. Raises `TextclfError`.
    """
    from textclf import training

    return training.train(TrainConfig.create(**_paths(settings))).root


def _paths(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings with folders and files as paths, and columns as a tuple, however they were given."""
    given = {
        name: Path(value) if name in {"data_dir", "run_dir", "test", "validation"} else value
        for name, value in settings.items()
    }
    if isinstance(given.get("data"), Path):
        given["data"] = str(given["data"])
    if "text_column" in given:
        columns: Any = given["text_column"]
        given["text_column"] = (columns,) if isinstance(columns, str) else tuple(columns)
    return given
