"""A run, or a model, as `textclf info` shows it: where it comes from, its figures, its settings, its labels."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import time
from typing import Any, Final

from textclf.artefacts import runs
from textclf.artefacts.containers import Archive
from textclf.artefacts.runs import RunLayout
from textclf.cli import terminal
from textclf.cli.display import fitted, listed, option_of, show_columns, value_of
from textclf.config import TIERS
from textclf.errors import ArtefactError
from textclf.models import MODELS, user
from textclf.sources.document import Columns
from textclf.system import escaping
from textclf.system.folders import size_of
from textclf.system.wording import counted, percent, shown_age, shown_bytes

MOST_LABELS: Final = 20
"""Labels whose figures are shown: those with the lowest F1."""
FIGURES: Final = {"accuracy": "accuracy", "macro-F1": "macro_f1", "weighted F1": "weighted_f1", "loss": "loss"}
FIGURES_OF_SEVERAL: Final = {"micro-F1": "micro_f1", "macro-F1": "macro_f1", "all right": "accuracy", "loss": "loss"}
BY_DOCUMENTS: Final = (
    "batch_size", "lr", "patience", "min_gain", "label_smoothing", "max_length", "embedding_size", "hidden_size",
    "refit",
)  # fmt: skip
"""Settings that follow from the documents unless they are given; the run does not say which they were."""
OF_NO_INTEREST: Final = ("tier", "model", "data", "data_dir", "run_dir")


def record(run: RunLayout) -> dict[str, Any]:
    """The values as they are: of metrics.json, the columns that `predict` takes of a table, settings and sizes."""
    config = runs.read_json(run.config)
    return {
        **runs.read_json(run.metrics),
        **_columns(run.model),
        "settings": config["settings"],
        "data": config["data"],
        "versions": config["versions"],
        "bytes": size_of(run.root),
    }


def model_record(model: Path) -> dict[str, Any]:
    """The same of a model without its run, in a folder or in one file: what its config.json says."""
    is_file = model.is_file()
    config = Archive.open(model).config() if is_file else runs.read_json(model / "config.json")
    about = {name: config[name] for name in ("model", "precision", "temperature", "columns")}
    return {**config["trained"], **about, "bytes": model.stat().st_size if is_file else size_of(model)}


def _columns(model: Path) -> dict[str, Any]:
    """The columns of the training documents; a model for ONNX Runtime has none."""
    config = model / "config.json"
    return {"columns": runs.read_json(config)["columns"]} if config.exists() else {}


def shown(root: Path, values: Mapping[str, Any]) -> str:
    """A record as text; raises ArtefactError if a value is of another type than textclf writes."""
    try:
        return "\n\n".join(filter(None, _parts(root, values)))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ArtefactError(f"{root} is damaged: its JSON files lack what they should have ({error!r})") from error


def _parts(root: Path, values: Mapping[str, Any]) -> Iterator[str]:
    yield escaping.line(root)
    yield _facts(root, values)
    yield _splits(values)
    yield from (
        terminal.wrapped(escaping.line(f"warning: {warning}"), indent="  ") for warning in values.get("warnings", ())
    )
    if settings := values.get("settings"):
        yield _settings(settings, tier=values["tier"], model=values["model"])
    yield _labels(values.get("labels", ()), values, hint=f"textclf evaluate --run {root}")


def _facts(root: Path, values: Mapping[str, Any]) -> str:
    """A line for each thing to know about where a model comes from."""
    rows = dict(_fact_rows(root, values))
    widest = max(map(len, rows))
    lines = (f"{name:<{widest}}  {escaping.line(row)}" for name, row in rows.items())
    return "\n".join(terminal.wrapped(line, indent=" " * (widest + 2)) for line in lines)


def _fact_rows(root: Path, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "corpus", str(values["corpus"])
    if data := values.get("data"):
        yield "data", str(data["path"])
    train = values.get("train")
    documents = f", {counted(train['documents'], 'document')}" if train else ""
    classes = values.get("data", {}).get("described", {}).get("classes")
    yield (
        "tier",
        f"{runs.part_of(values)}{documents}" + (f" of {counted(classes, 'class', 'classes')}" if classes else ""),
    )
    parameters = f", {counted(values['parameters'], 'parameter')}" if "parameters" in values else ""
    yield "model", f"{values['model']}{parameters}, seed {values['seed']}"
    if vectors := values.get("vectors"):
        yield "vectors", runs.vectors_line(vectors)
    if encoder := values.get("encoder"):
        kept = "" if encoder["is_bundled"] else ", not in the model's folder"
        yield "encoder", f"{runs.encoder_line(encoder)}, {percent(encoder['share'])} of the weight{kept}"
    if exported := values.get("exported"):
        yield "exported", f"from {exported['run']}, in {exported['after']['precision']}"
    if epochs := values.get("epochs"):
        yield "epochs", _epochs(epochs, values)
    if seconds := values.get("seconds"):
        yield "time", f"{seconds['total']:.1f} s in all, {seconds['train']:.1f} s of training, on {values['device']}"
    yield "size", shown_bytes(values["bytes"])
    yield "age", shown_age(time() - runs.started(root))
    if versions := values.get("versions"):
        yield "versions", ", ".join(f"{name} {versions[name]}" for name in ("textclf", "torch", "python"))
    if columns := show_columns(Columns.from_json(values.get("columns", {}))):
        yield "columns", columns.removeprefix("columns: ")


def _epochs(epochs: int, values: Mapping[str, Any]) -> str:
    most = f" of at most {values['settings']['epochs']:,}" if "settings" in values else ""
    refit = values["refit"]
    more = f", then {runs.more_training(refit)}" if refit else ""
    return f"{epochs:,}{most}, the best was {values['best_epoch']:,}{more}"


def _splits(values: Mapping[str, Any]) -> str:
    """Figures of each split; for train those of the best epoch, measured while the model learned."""
    splits = [split for split in ("train", "validation", "test") if split in values]
    columns: dict[str, Sequence[str]] = {
        "split": splits,
        "documents": [f"{values[split]['documents']:,}" for split in splits],
    }
    is_one = all(values[split].get("micro_f1") == values[split].get("accuracy") for split in splits)
    for head, name in (FIGURES if is_one else FIGURES_OF_SEVERAL).items():
        columns[head] = [f"{values[split][name]:.4f}" if name in values[split] else "" for split in splits]
    return fitted(columns, right=(*FIGURES, *FIGURES_OF_SEVERAL, "documents"), drop=("weighted F1",), cut="split")


def _settings(settings: Mapping[str, Any], *, tier: str, model: str) -> str:
    """Settings that differ from the defaults of the tier and the model, and those that follow from the documents."""
    preset = MODELS[model].PRESET if model in MODELS else user.PRESET
    usual = _defaults() | {name: value for name in settings if (value := getattr(preset, name, None)) is not None}
    usual["epochs"] = TIERS[tier].epochs
    changed = [
        f"{option_of(name)} {value_of(value)} (default {value_of(usual.get(name))})"
        for name, value in settings.items()
        if name not in (*BY_DOCUMENTS, *OF_NO_INTEREST) and value != usual.get(name)
    ]
    by_documents = [f"{option_of(name)} {value_of(settings[name])}" for name in BY_DOCUMENTS if name in settings]
    return "\n".join(
        (
            listed("settings that differ from the defaults", changed),
            listed("given, or chosen by the documents", by_documents),
        )
    )


def _defaults() -> dict[str, Any]:
    """Defaults that depend on nothing."""
    from dataclasses import MISSING, fields

    from textclf.config import TrainConfig

    defaults = {field.name: field.default for field in fields(TrainConfig) if field.default is not MISSING}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()}  # as in JSON


def _labels(labels: Sequence[Mapping[str, Any]], values: Mapping[str, Any], *, hint: str) -> str:
    """Figures of each label, or of those with the lowest F1; a model without its run has none."""
    if not labels:
        return f"figures of each label:\n  {escaping.line(hint)}" if "settings" in values else ""
    lowest = sorted(labels, key=lambda row: row["f1"])[:MOST_LABELS]
    columns = {
        "label": [row["label"] for row in lowest],
        **{name: [f"{row[name.lower()]:.4f}" for row in lowest] for name in ("F1", "precision", "recall")},
        "documents": [f"{row['documents']:,}" for row in lowest],
    }
    split = "test" if "test" in values else "validation"
    which = f"the {MOST_LABELS} labels of {len(labels):,} with the lowest F1" if len(labels) > MOST_LABELS else "labels"
    right = tuple(columns)[1:]
    return f"{which}, on {split}:\n\n{fitted(columns, right=right, drop=('recall', 'precision'), cut='label')}"
