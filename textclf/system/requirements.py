"""Python packages that a command needs and that are not installed: which, and the pip command that gets them.

A model answers with numpy, click and safetensors alone, where textclf was installed with ``pip install --no-deps``.
What needs several more asks `need` first; `failures` explains an import that fails elsewhere.
"""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Final

from textclf.errors import UsageError
from textclf.system.wording import form

ALL: Final = ("textclf",)
"""What pip is given where training needs it: it brings what is missing of all that textclf requires."""

ALONE: Final[Mapping[str, str]] = {
    "click": "click",
    "datasets": "datasets",
    "numpy": "numpy",
    "pyarrow": "pyarrow",
    "safetensors": "safetensors",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "torch": "torch",
}
"""What pip is given for a package that may be all that is missing, by the name that it is imported by."""

SERVING: Final = ("fastapi", "httptools", "uvicorn")
ONNX: Final = ("onnx", "onnxruntime")
WORKBOOKS: Final = ("openpyxl",)
CLUSTER: Final = ("ray",)
TUNING: Final = ("optuna",)
TABLES: Final = ("pyarrow", "tqdm")
"""Data directories, with progress."""
COMPARING: Final = ("pyarrow", "scipy")
REPORTING: Final = ("jinja2", "matplotlib", "pyarrow")
TRAINING: Final = ("torch", "tensorboard", "tqdm", "pyarrow", "scipy")


def need(what: str, packages: Sequence[str], *, install: Sequence[str] = ()) -> None:
    """Raise UsageError with the pip command if one of the packages is not installed; nothing is imported.

    ``what`` begins the sentence, such as "a report". ``install`` replaces the missing packages in the command.
    """
    if missing := [package for package in packages if not is_installed(package)]:
        are = form(len(missing), "is", "are")
        raise UsageError(
            f"{what} needs {', '.join(missing)}, which {are} not installed: pip install {' '.join(install or missing)}"
        )


def is_installed(package: str) -> bool:
    """Whether a package could be imported; nothing is imported."""
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):  # refused by an importer, or without a specification
        return False
