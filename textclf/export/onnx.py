"""A model as an ONNX graph, for any ONNX Runtime, and the feeder that makes its inputs from texts.

The arithmetic is that of the numpy forward pass; weights stand in the file in few bits.
"""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from textclf import __version__
from textclf.artefacts import model_folder, weight_files
from textclf.artefacts.artefact import Artefact
from textclf.artefacts.weight_files import SCALES, quantise
from textclf.errors import ArtefactError, UsageError
from textclf.models import MODELS
from textclf.models.onnx_graph import Graph
from textclf.system import failures, files, requirements, tensor_files
from textclf.text.tokenizer import Tokenizer

OPSET: Final = 18
IR_VERSION: Final = 9  # the first ONNX Runtime that reads it is 1.14, of 2023

SETTINGS: Final = "inputs.json"
"""The format, which model it is, and the settings of its inputs."""
LEARNT: Final = "inputs.safetensors"
"""What the inputs learnt from documents."""


def need_packages() -> None:
    """Raise UsageError if the extra is not installed."""
    requirements.need("ONNX", requirements.ONNX)


def serialise(trained: Artefact, *, precision: str) -> bytes:
    """The ``.onnx`` file of a model: what the model reads to calibrated ``logits`` and ``probabilities``.

    Raises what `quantise` raises.
    """
    from onnx import TensorProto, checker, helper

    form = trained.kind.onnx_graph()
    if form is None:
        raise UsageError(f"the model {trained.model} has no ONNX graph; export it with --format safetensors")
    stored = quantise(trained.weights, precision)
    graph = Graph(stored, scales={table: stored[name] for table, name in SCALES.items() if name in stored})
    logits = form.logits(graph, np.float32(trained.temperature))
    if trained.shift:
        shift = np.array(trained.shift, dtype=np.float32) / np.float32(trained.temperature)
        logits = graph.add("Sub", logits, graph.constant(shift))
    graph.add("Identity", logits, output="logits")
    if trained.is_multi:
        graph.add("Sigmoid", logits, output="probabilities")
    else:
        graph.add("Softmax", logits, output="probabilities", axis=1)
    inputs = [
        helper.make_tensor_value_info(name, getattr(TensorProto, kind), shape) for name, kind, shape in form.inputs
    ]
    shape = ("B", len(trained.labels))
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("logits", "probabilities")]
    whole = helper.make_graph(graph.nodes, f"textclf {trained.model}", inputs, outputs, graph.constants)
    model = helper.make_model(
        whole,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="textclf",
        producer_version=__version__,
    )
    helper.set_model_props(model, {"labels": json.dumps(trained.labels, ensure_ascii=False)})
    checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def contents(trained: Artefact, *, precision: str) -> dict[str, bytes]:
    """The files by name. What the inputs learnt is rounded only if the weights are."""
    learnt, settings = model_folder.split(trained.inputs)
    kept = {name: array for name, array in learnt.items() if name not in trained.inputs.DERIVED}
    return {
        SETTINGS: model_folder.encode(
            {"format_version": model_folder.FORMAT_VERSION, "model": trained.model, "inputs": settings}, indent=2
        ),
        LEARNT: tensor_files.serialise(kept if precision == "float32" else model_folder.compact(kept)),
    }


class Feeder:
    """Makes what a model's graph reads, by its ``inputs``; raises ArtefactError if its files cannot be read."""

    def __init__(self, folder: str | Path) -> None:
        root = Path(folder)
        try:
            settings = files.read_object(root / SETTINGS)
            if (version := settings.get("format_version")) != model_folder.FORMAT_VERSION:
                raise ValueError(
                    f"it has format {version}, and this textclf reads format {model_folder.FORMAT_VERSION}"
                )
            kind = MODELS[settings["model"]].runtime().features
            self._tokenizer = Tokenizer.from_json(files.read_object(model_folder.Layout(root).tokenizer))
            learnt = weight_files.restore(tensor_files.read(root / LEARNT)[0])
            self.inputs = model_folder.restore(kind, learnt, settings["inputs"], self._tokenizer)
            if not self.inputs.fits(self._tokenizer):
                raise ValueError("the inputs are not those of the tokenizer")
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            damage = ArtefactError(f"{root} cannot be read ({error}); export it again: textclf export")
            raise failures.refused(error, root) or damage from error

    def __call__(self, texts: list[str]) -> dict[str, NDArray[Any]]:
        """The inputs of some texts, one at least, by name."""
        made: dict[str, NDArray[Any]] = self.inputs(*self._tokenizer.encode_all(texts))._asdict()
        return made
