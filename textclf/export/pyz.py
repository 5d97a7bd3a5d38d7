"""One file with a model and the code that predicts, for any Python of at least 3.11 with numpy.

The code is that of textclf itself, unchanged. Next to each module is what Python compiled it to: without it, a start
takes twice as long. Another version of Python compiles the modules itself, each time.
"""

from collections.abc import Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from textclf.artefacts import containers, encoder_view, model_folder
from textclf.errors import TextclfError
from textclf.system import subprocesses

ROOT: Final = Path(__file__).parent.parent
"""The folder of textclf."""
INSIDE: Final = (
    "__init__.py",
    "errors.py",
    "settings.py",
    "artefacts/__init__.py",
    "artefacts/artefact.py",
    "artefacts/containers.py",
    "artefacts/encoder_view.py",
    "artefacts/loading.py",
    "artefacts/model_folder.py",
    "artefacts/runs.py",
    "artefacts/weight_files.py",
    "encoders/*.py",
    "inference/*.py",
    "models/**/*.py",
    "serve/*.py",
    "serve/static/*",
    "sources/*.py",
    "standalone/*.py",
    "system/*.py",
    "system/*.css",
    "text/*.py",
)
"""The files of textclf that predicting needs."""
OUTSIDE: Final = (
    "encoders/adding.py",
    "encoders/cooccurrences.py",
    "encoders/factors.py",
    "encoders/known.py",
    "encoders/own_text.py",
    "encoders/published.py",
    "encoders/store.py",
    "models/*/network.py",
    "models/user/trial.py",
    "sources/catalogue.py",
    "sources/corpora.py",
    "sources/folders.py",
    "sources/hub.py",
    "sources/hub_files.py",
    "sources/in_memory.py",
    "sources/index.py",
    "sources/layouts.py",
    "sources/packages.py",
    "sources/parts.py",
    "sources/wheels.py",
    "system/cluster.py",
    "system/folders.py",
    "text/corpus_encoder.py",
    "text/vocabulary_map.py",
)
"""Those among them that only training, its data, clusters, and models that do not go into one file need."""
ABSENT: Final = "standalone/absent.py"
ABSENT_AS: Final = ("api.py", "estimator.py", "results.py")
"""Modules of the public API in whose place the archive has it: they would import what trains."""
MAPPED: Final = (model_folder.WEIGHTS, encoder_view.WEIGHTS)
"""Files of the artefact that are not compressed, so that they are mapped into memory."""
START: Final = "standalone/start.py"
"""What Python runs: the archive has it a second time, as ``__main__.py``."""
COMPILE_SECONDS: Final = 300


def pack(model: Mapping[str, bytes]) -> bytes:
    """The file, from the files of an artefact; raises what `containers.pack` and `code` raise."""
    return containers.pack(code(), model, mapped=MAPPED)


def most_bytes(model: Mapping[str, bytes]) -> int:
    """At most the bytes of the file, without packing the code each time."""
    alone = containers.pack({}, model, mapped=MAPPED)
    return _code_bytes() + len(alone) + (1 + len(MAPPED)) * containers.ALIGNMENT


@cache
def _code_bytes() -> int:
    return len(containers.pack(code(), {}, mapped=MAPPED))


@cache
def code() -> dict[str, bytes]:
    """The code by its name in the archive: the program to start, the files of textclf, and the modules compiled.

    Raises TextclfError if Python cannot compile them.
    """
    sources = {f"textclf/{path.relative_to(ROOT).as_posix()}": path.read_bytes() for path in inside()}
    sources |= {f"textclf/{name}": (ROOT / ABSENT).read_bytes() for name in ABSENT_AS}
    start = {"__main__.py": (ROOT / START).read_bytes()}
    return start | dict(sorted((sources | _compiled(sources)).items()))


def inside() -> list[Path]:
    """The files of textclf that are in the archive."""
    left_out = set(chain.from_iterable(map(ROOT.glob, OUTSIDE)))
    return sorted(path for path in chain.from_iterable(map(ROOT.glob, INSIDE)) if path not in left_out)


def _compiled(sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """The modules as a new process compiles them: here, the bytes would depend on what was imported before."""
    with TemporaryDirectory(prefix="textclf-") as name:
        folder = Path(name)
        for module in (name for name in sources if name.endswith(".py")):
            (folder / module).parent.mkdir(parents=True, exist_ok=True)
            (folder / module).write_bytes(sources[module])
        # Next to each module, not to be compared with it when it is imported, and without the name of this folder.
        how = ("-q", "-b", "--invalidation-mode", "unchecked-hash", "-s", name, str(folder / "textclf"))
        done = subprocesses.run_module("compileall", *how, timeout=COMPILE_SECONDS)
        if done.returncode:
            raise TextclfError(f"Python could not compile textclf ({(done.stdout + done.stderr).strip()[:200]})")
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.pyc"))}
