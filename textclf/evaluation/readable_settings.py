"""The settings of a run as people read them: a title, a value with its unit, and whether that is the default."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from textclf.config import REFIT_FROM, TrainConfig
from textclf.dataset.directory import DataDirectory
from textclf.errors import UsageError
from textclf.system.wording import counted

FOLDERS: Final = ("data", "data_dir", "run_dir", "init_from")
"""Settings that say where files are: not shown, as a report is passed on."""


class Wording(NamedTuple):
    """How a setting is shown."""

    title: str
    unit: str = ""
    """Of a number: "epoch" stands for "1 epoch" and "2 epochs"."""
    none: str = ""
    """What None means; empty: the model has no such setting."""


WORDINGS: Final[Mapping[str, Wording]] = {
    "tier": Wording("Tier"),
    "shots": Wording("Documents of each label", none="all"),
    "model": Wording("Model"),
    "epochs": Wording("Maximum epochs"),
    "batch_size": Wording("Batch size", "document"),
    "lr": Wording("Learning rate"),
    "patience": Wording("Patience", "epoch"),
    "min_gain": Wording("Minimum gain of an epoch"),
    "monitor": Wording("Best epoch by validation"),
    "class_weights": Wording("Class weights"),
    "clip_norm": Wording("Maximum gradient norm"),
    "label_smoothing": Wording("Label smoothing"),
    "refit": Wording("Refit on train and validation", none=f"if the best epoch is {REFIT_FROM} or later"),
    "test": Wording("Test split evaluated"),
    "embedding_size": Wording("Embedding size"),
    "hidden_size": Wording("Hidden size"),
    "dropout": Wording("Dropout"),
    "word_dropout": Wording("Word dropout"),
    "max_length": Wording("Tokens read of a document", none="all"),
    "vectors": Wording("Word vectors", none="none"),
    "freeze_vectors": Wording("Word vectors frozen"),
    "encoder": Wording("Sentence encoder", none="none"),
    "encoder_limit": Wording("Tokens that the encoder may read", "token"),
    "bundle": Wording("Encoder copied into the model"),
    "unlabelled": Wording("Texts without labels", none="none"),
    "unlabelled_column": Wording("Column of these texts", none="as in the data"),
    "seed": Wording("Random seed"),
    "device": Wording("Device"),
    "precision": Wording("Precision"),
    "store": Wording("Tokens read from"),
    "num_workers": Wording("Loader processes", none="automatic"),
    "resident": Wording("Documents kept on the device", none="on CUDA"),
}


class Setting(NamedTuple):
    """A setting of a run."""

    title: str
    option: str
    """As the command line has it."""
    value: str
    default: str
    """The default if the value is another one; empty if the value is the default, or if that is not known."""
    is_default: bool


def settings_of(given: Mapping[str, Any], data: DataDirectory) -> list[Setting]:
    """The settings of a run that was trained on this data, without folders and without those that its model lacks."""
    usual = _defaults(given, data)
    found = []
    for name, value in given.items():
        wording = WORDINGS.get(name, Wording(name.replace("_", " ").capitalize()))
        text = _text(value, wording)
        if name in FOLDERS or not text:
            continue
        is_default = name in usual and usual[name] == value
        default = _text(usual[name], wording) if name in usual and not is_default else ""
        found.append(Setting(wording.title, f"--{name.replace('_', '-')}", text, default, is_default))
    return found


def _defaults(given: Mapping[str, Any], data: DataDirectory) -> Mapping[str, Any]:
    """What each setting is if it is not given, for this tier, model and data; nothing for a user's own class."""
    try:
        config = TrainConfig.create(tier=given.get("tier"), model=given.get("model"), shots=given.get("shots"))
    except UsageError:
        return {}
    size = data.parts(config.tier, shots=config.shots, seed=given.get("seed", 0))["train"].size()
    completed = config.completed(**size._asdict(), is_multi=data.is_multi).to_json()
    any_run = TrainConfig.create()
    return completed | {"tier": any_run.tier, "model": any_run.model, "shots": any_run.shots}


def _text(value: Any, wording: Wording) -> str:
    if value is None or value == []:
        return wording.none
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return counted(value, wording.unit) if wording.unit else f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
