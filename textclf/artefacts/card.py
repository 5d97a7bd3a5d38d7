"""The model card: what a stranger should know before using the model. See https://arxiv.org/abs/1810.03993."""

import math
from collections.abc import Mapping
from typing import Any, Final

from textclf.dataset.manifest import Manifest
from textclf.sources.catalogue import CATALOGUE

SHOWN: Final = 20  # labels
SMALL: Final = 50
"""Training documents below which little can be said of a class."""
USE: Final = {
    "safetensors": """```
textclf predict --run DIR "text"
```

```python
import textclf

textclf.load_model("DIR").predict("text")
```
""",
    "onnx": """```python
import onnxruntime
from textclf.export.feeding import Feeder

session = onnxruntime.InferenceSession("DIR/model.onnx")
logits, probabilities = session.run(None, Feeder("DIR")(["text"]))  # columns as in labels.json
```
""",
}
"""How to use the model, by the kind of its files."""
_NORMAL: Final = 1.959964  # 95 % of a normal distribution are within so many standard deviations


def model_card(
    metrics: Mapping[str, Any],
    documents: Mapping[str, int],
    data: Manifest,
    *,
    size: int,
    versions: Mapping[str, str],
    exported: Mapping[str, Any] | None = None,
) -> str:
    """Markdown from the figures of a finished run.

    Documents: how many of each label were trained on. Size: bytes of the weights and the vocabulary. Exported: what
    metrics.json says of a model that was made smaller.
    """
    labels = list(documents)
    shown = ", ".join(labels[:SHOWN]) + (f" and {len(labels) - SHOWN} more" if len(labels) > SHOWN else "")
    return f"""# {metrics["corpus"]}: text classifier ({metrics["model"]})

Gives a text one of {len(labels)} labels: {shown}.

| split | documents | accuracy | 95 % interval | macro-F1 | loss |
|---|---|---|---|---|---|
{_row("validation", metrics["validation"])}
{_row("test", metrics["test"])}
{_exported(exported, metrics["refit"])}
## Data

Trained on {metrics["train"]["documents"]:,} documents (tier {metrics["tier"]}) of {data.source}, seed
{metrics["seed"]}, and chosen by validation loss at epoch {metrics["best_epoch"]} of {metrics["epochs"]}.
{_refit(metrics["refit"])}
{_origin(data)}
{_classes(documents)}

## Use

Meant to sort texts like those it was trained on, where a wrong label does little harm or a person looks at it.

{USE[exported["form"] if exported else "safetensors"]}
## Limits

It knows the language, the time and the kind of text that it was trained on, and always answers with one of its labels,
however little the text has to do with them. It repeats what the labels of its training documents had wrong.
{_small(documents)}
## Technical

{metrics["parameters"]:,} parameters; about {size / 1e6:.1f} MB of weights and vocabulary.
Made with {_versions(versions)}.
"""


def _row(split: str, figures: Mapping[str, Any]) -> str:
    low, high = wilson(figures["accuracy"], figures["documents"])
    scores = f"{figures['macro_f1']:.4f} | {figures['loss']:.4f}"
    return f"| {split} | {figures['documents']:,} | {figures['accuracy']:.4f} | {low:.4f} to {high:.4f} | {scores} |"


def wilson(accuracy: float, documents: int) -> tuple[float, float]:
    """The 95 % interval of a share of some documents: https://doi.org/10.1080/01621459.1927.10502953."""
    if not documents:
        return 0.0, 1.0
    square = _NORMAL**2 / documents
    middle = accuracy + square / 2
    half = math.sqrt(square * (accuracy * (1 - accuracy) + square / 4))
    return max((middle - half) / (1 + square), 0.0), min((middle + half) / (1 + square), 1.0)


def _refit(refit: Mapping[str, int] | None) -> str:
    if refit is None:
        return ""
    return (
        f"\nThen trained anew for {refit['epochs']} epochs on train and validation, {refit['documents']:,} documents; "
        "the validation figures are those from before.\n"
    )


def _exported(exported: Mapping[str, Any] | None, refit: Any) -> str:
    """How a smaller model differs from the whole one."""
    if exported is None:
        return ""
    old, new = exported["before"], exported["after"]
    return f"""
Made smaller: {new["precision"]} weights, {new["features"]:,} of {old["features"]:,} features,
about {new["size"] / 1000:,.0f} of {old["size"] / 1000:,.0f} kB. On {exported["split"]}, its accuracy is
{new["accuracy"]:.4f} where that of the whole model was {old["accuracy"]:.4f}, and it gives
{exported["agreement"]:.2%} of the documents the same label.
Figures {"of test " if refit else ""}are of the smaller model.
"""


def _origin(data: Manifest) -> str:
    """Licence and citation, where the catalogue has them."""
    entry = CATALOGUE.get(str(data.settings.get("source")))
    if entry is None:
        return "Whether the model may be passed on depends on the licence of that data, which is not known here."
    return f"The corpus: {entry.description}. Licence: {entry.licence}. Cite: {entry.citation}"


def _classes(documents: Mapping[str, int]) -> str:
    least, most = min(documents, key=documents.__getitem__), max(documents, key=documents.__getitem__)
    ends = f"{most!r} has most training documents ({documents[most]:,}), {least!r} fewest ({documents[least]:,})"
    return f"Of the labels, {ends}."


def _small(documents: Mapping[str, int]) -> str:
    small = [label for label, count in documents.items() if count < SMALL]
    if not small:
        return ""
    shown = ", ".join(small[:SHOWN]) + (f" and {len(small) - SHOWN} more" if len(small) > SHOWN else "")
    return f"\nLabels with fewer than {SMALL} training documents, of which it may know little: {shown}.\n"


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {versions[name]}" for name in ("textclf", "python", "torch", "numpy") if name in versions)
