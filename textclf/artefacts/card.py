"""The model card: what to know before using the model. See https://arxiv.org/abs/1810.03993."""

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Final

from textclf.artefacts import runs
from textclf.dataset.label_sets import MULTI
from textclf.dataset.manifest import Manifest
from textclf.sources.catalogue import CATALOGUE, Entry
from textclf.system.escaping import code_span, line
from textclf.system.wording import counted

MOST_LABELS: Final = 20
"""Labels that the card lists by name."""
FEW_DOCUMENTS: Final = 50
"""A label with fewer training documents is listed as a limit."""
USE: Final = {
    "safetensors": """```
textclf predict --run DIR "text"
```

```python
import textclf

textclf.load_model("DIR").predict("text")
```
""",
    "pyz": """```
python FILE "text"
```

```python
import sys

sys.path.insert(0, "FILE")  # unless textclf is installed
import textclf

textclf.load_model("FILE").predict("text")
```
""",
    "onnx": """```python
import onnxruntime
from textclf.export.onnx import Feeder

session = onnxruntime.InferenceSession("DIR/model.onnx")
logits, probabilities = session.run(None, Feeder("DIR")(["text"]))  # columns as in labels.json
```
""",
}
"""How to use the model, by the form of its files."""
HEAD: Final = """| split | documents | accuracy | 95 % interval | macro-F1 | loss |
|---|---|---|---|---|---|"""
HEAD_OF_SEVERAL: Final = """| split | documents | micro-F1 | macro-F1 | all labels right | loss |
|---|---|---|---|---|---|"""
"""The head of the table of figures."""
VERSIONS: Final = ("textclf", "python", "torch", "numpy")
"""What the model was trained with."""
_NORMAL: Final = 1.959964
"""Standard deviations that contain 95 % of a normal distribution."""


def model_card(
    metrics: Mapping[str, Any],
    documents: Mapping[str, int],
    data: Manifest,
    *,
    size: int,
    versions: Mapping[str, str],
    exported: Mapping[str, Any] | None = None,
) -> str:
    """The card in Markdown, from the metrics of a finished run.

    documents: training documents per label. size: bytes of weights and vocabulary. exported: the description of an
    export in metrics.json.
    """
    labels = list(documents)
    several = data.task == MULTI
    gives = "those that apply, or none, of" if several else "one of"
    return f"""# {code_span(metrics["corpus"])}: text classifier ({code_span(metrics["model"])})

Gives each text {gives} {counted(len(labels), "label")}: {_listed(labels)}.

{HEAD_OF_SEVERAL if several else HEAD}
{_row("validation", metrics["validation"], several=several)}
{_test(metrics, several=several)}{_exported(exported, metrics["refit"])}{_warnings(metrics)}
## Data

{_documents(metrics)} of {code_span(data.source)},
seed {metrics["seed"]}; epoch {metrics["best_epoch"]} of {metrics["epochs"]} had the lowest validation loss.
{_initial(metrics.get("init_from"))}{_refit(metrics["refit"])}{_vectors(metrics.get("vectors"))}{_encoder(metrics.get("encoder"))}
{_origin(data)}
{_classes(documents)}

## Use

For texts like those it was trained on, where a wrong label does little harm or a person checks it.

{_use(exported["form"] if exported else "safetensors", metrics.get("network"))}
## Limits

It knows only the language, the period and the kind of text it was trained on{_fits(several)}, and it repeats errors in
the labels of its training documents.
{_rare(documents)}
## Technical

{counted(metrics["parameters"], "parameter")}; about {size / 1e6:.1f} MB of weights and vocabulary.
Trained with {_versions(versions)}.
"""


def facts(
    metrics: Mapping[str, Any], documents: Mapping[str, int], data: Manifest, *, versions: Mapping[str, str]
) -> dict[str, Any]:
    """What the card says and no other file of the artefact, for a program that shows it; arguments as `model_card`."""
    entry = _entry(data)
    fewest, most = _extremes(documents)
    rare = _rare_labels(documents)
    return {
        "source": data.source,
        **({name: getattr(entry, name) for name in ("description", "licence", "citation")} if entry else {}),
        "documents": metrics["train"]["documents"],
        "most": [most, documents[most]],
        "fewest": [fewest, documents[fewest]],
        "rare": {"below": FEW_DOCUMENTS, "labels": rare[:MOST_LABELS], "count": len(rare)},
        "epochs": metrics["epochs"],
        "best_epoch": metrics["best_epoch"],
        "parameters": metrics["parameters"],
        **({"vectors": runs.vectors_line(metrics["vectors"])} if "vectors" in metrics else {}),
        **({"encoder": runs.encoder_line(metrics["encoder"])} if "encoder" in metrics else {}),
        "warnings": list(metrics.get("warnings", ())),
        "versions": {name: versions[name] for name in VERSIONS if name in versions},
    }


def _documents(metrics: Mapping[str, Any]) -> str:
    return f"Trained on {counted(metrics['train']['documents'], 'document')} (tier {runs.part_of(metrics)})"


def _fits(several: bool) -> str:
    """What becomes of a text that no label fits."""
    return "" if several else ". It gives every text one of its labels,\neven if none fits"


def _use(form: str, network: Mapping[str, Any] | None) -> str:
    """How to use the model; one of a user's own class needs its code, which is not in the folder."""
    if network is None:
        return USE[form]
    file = network["file"]
    use = USE[form].replace("--run DIR", f"--run DIR --code {shlex.quote(line(file))}")
    use = use.replace('"DIR")', f'"DIR", code={json.dumps(file)})')
    code = f"The class {code_span(network['class'])} is in {code_span(file)}, which is not part of this folder"
    return f"{code} (SHA-256 {network['sha256']}).\n\n{use}"


def _row(split: str, figures: Mapping[str, Any], *, several: bool) -> str:
    if several:
        scores = " | ".join(f"{figures[name]:.4f}" for name in ("micro_f1", "macro_f1", "accuracy", "loss"))
        return f"| {split} | {figures['documents']:,} | {scores} |"
    low, high = wilson(figures["accuracy"], figures["documents"])
    scores = f"{figures['macro_f1']:.4f} | {figures['loss']:.4f}"
    return f"| {split} | {figures['documents']:,} | {figures['accuracy']:.4f} | {low:.4f} to {high:.4f} | {scores} |"


def _warnings(metrics: Mapping[str, Any]) -> str:
    """Why the model may be worthless."""
    return "".join(f"\n**Warning: {warning}.**\n" for warning in metrics.get("warnings", ()))


def _test(metrics: Mapping[str, Any], *, several: bool) -> str:
    """The row of the test split; nothing if the model was not measured on it."""
    return _row("test", metrics["test"], several=several) + "\n" if "test" in metrics else ""


def wilson(accuracy: float, documents: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of documents: https://doi.org/10.1080/01621459.1927.10502953."""
    if not documents:
        return 0.0, 1.0
    square = _NORMAL**2 / documents
    middle = accuracy + square / 2
    half = math.sqrt(square * (accuracy * (1 - accuracy) + square / 4))
    return max((middle - half) / (1 + square), 0.0), min((middle + half) / (1 + square), 1.0)


def _refit(refit: Mapping[str, int] | None) -> str:
    """What the probabilities are fitted to, and what was done after the best epoch."""
    if refit is None:
        return "\nProbabilities and thresholds are calibrated on the validation documents.\n"
    return (
        f"\nThen came {runs.more_training(refit)}, {counted(refit['documents'], 'document')}. Each validation document "
        "was predicted before the model had learned from it: these predictions are the validation figures, and "
        "probabilities and thresholds are calibrated on them.\n"
    )


def _vectors(vectors: Mapping[str, Any] | None) -> str:
    """The word vectors that the embeddings began with."""
    if vectors is None:
        return ""
    return f"\nIts embeddings began with the word vectors {code_span(runs.vectors_line(vectors))}.\n"


def _initial(initial: Mapping[str, Any] | None) -> str:
    """The run whose weights training started from."""
    if initial is None:
        return ""
    kept = ", ".join(f"{some:,} of {every:,} {kind}" for kind, (some, every) in initial["kept"].items() if every)
    return f"\nTraining started from the weights of the run {code_span(initial['run'])}: {kept} kept theirs.\n"


def _encoder(encoder: Mapping[str, Any] | None) -> str:
    """The sentence encoder of the model, and where its files are."""
    if encoder is None:
        return ""
    if encoder.get("kind") == "words":
        return (
            f"\nA second classifier, with {encoder['share']:.0%} of the weight, learned from means of word vectors, "
            "which were learned from texts without labels and the documents, and are in the folder `encoder`:\n"
            f"{code_span(runs.encoder_line(encoder))}\n"
        )
    place = "is in the folder `encoder`" if encoder["is_bundled"] else "is not in this folder, and must be added first"
    return (
        f"\nA second classifier, with {encoder['share']:.0%} of the weight, learned from the vectors of a sentence "
        f"encoder, which {place}:\n{code_span(runs.encoder_line(encoder))}\n"
    )


def _exported(exported: Mapping[str, Any] | None, refit: Any) -> str:
    """How an exported model differs from the one it was made from."""
    if exported is None:
        return ""
    old, new = exported["before"], exported["after"]
    score = "accuracy" if old["accuracy"] == old["micro_f1"] else "micro-F1"
    return f"""
Made smaller: {new["precision"]} weights, {new["features"]:,} of {counted(old["features"], "feature")},
about {new["size"] / 1000:,.0f} of {old["size"] / 1000:,.0f} kB. On {exported["split"]}, its {score} is
{new["micro_f1"]:.4f}, that of the original model {old["micro_f1"]:.4f}; both give {exported["agreement"]:.2%} of the
documents the same answer. The {"test " if refit else ""}figures above are those of the smaller model.
"""


def _entry(data: Manifest) -> Entry | None:
    """The corpus in the catalogue; None if the documents are others. Settings have a list of sources, or one."""
    source = data.settings.get("source")
    names = [source] if isinstance(source, str) else source or []
    return CATALOGUE.get(str(names[0])) if len(names) == 1 else None


def _origin(data: Manifest) -> str:
    """Licence and citation of a corpus of the catalogue."""
    entry = _entry(data)
    if entry is None:
        return "The licence of the data, which decides whether the model may be distributed, is not known here."
    return f"The corpus: {entry.description}. Licence: {entry.licence}. Cite: {entry.citation}"


def _classes(documents: Mapping[str, int]) -> str:
    fewest, most = _extremes(documents)
    return (
        f"Of the labels, {code_span(most)} has most training documents ({documents[most]:,}), "
        f"{code_span(fewest)} fewest ({documents[fewest]:,})."
    )


def _extremes(documents: Mapping[str, int]) -> tuple[str, str]:
    """The labels with the fewest and with the most training documents."""
    return min(documents, key=documents.__getitem__), max(documents, key=documents.__getitem__)


def _rare(documents: Mapping[str, int]) -> str:
    if not (rare := _rare_labels(documents)):
        return ""
    return f"\nExpect more errors on labels with fewer than {FEW_DOCUMENTS} training documents: {_listed(rare)}.\n"


def _rare_labels(documents: Mapping[str, int]) -> list[str]:
    return [label for label, count in documents.items() if count < FEW_DOCUMENTS]


def _listed(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - MOST_LABELS:,} more" if len(labels) > MOST_LABELS else ""
    return ", ".join(map(code_span, labels[:MOST_LABELS])) + more


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {versions[name]}" for name in VERSIONS if name in versions)
