"""The model card: what a stranger should know before using the model. See https://arxiv.org/abs/1810.03993."""

from collections.abc import Mapping, Sequence
from typing import Any


def model_card(metrics: Mapping[str, Any], labels: Sequence[str], source: str) -> str:
    """Markdown from the figures of a finished run."""
    shown = ", ".join(labels[:20]) + (f" and {len(labels) - 20} more" if len(labels) > 20 else "")
    return f"""# {metrics["corpus"]}: text classifier ({metrics["model"]})

Gives a text one of {len(labels)} labels: {shown}.

| split | documents | accuracy | macro-F1 | loss |
|---|---|---|---|---|
{_row("validation", metrics["validation"])}
{_row("test", metrics["test"])}

Trained on {metrics["train"]["documents"]:,} documents (tier {metrics["tier"]}) of {source}, seed {metrics["seed"]}, and
chosen by validation loss at epoch {metrics["best_epoch"]} of {metrics["epochs"]}; {metrics["parameters"]:,} parameters.
{_refit(metrics["refit"])}
Use: `textclf predict --run DIR "text"`, or `textclf.load_model("DIR").predict("text")` in Python.

Limits: it knows the language, the time and the kind of text that it was trained on, and always answers with one of its
labels, however little the text has to do with them.
"""


def _row(split: str, figures: Mapping[str, Any]) -> str:
    scores = " | ".join(f"{figures[name]:.4f}" for name in ("accuracy", "macro_f1", "loss"))
    return f"| {split} | {figures['documents']:,} | {scores} |"


def _refit(refit: Mapping[str, int] | None) -> str:
    if refit is None:
        return ""
    return (
        f"\nThen trained anew for {refit['epochs']} epochs on train and validation, {refit['documents']:,} documents; "
        "the validation figures are those from before.\n"
    )
