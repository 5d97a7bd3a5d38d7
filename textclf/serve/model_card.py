"""The model card of a served run, in sections of sentences and tables; the page shows all of it as text.

It is made of what the model says about itself, which nobody has checked: what has another type is left out.
"""

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, Final

from textclf.inference.classifier import Classifier
from textclf.system.wording import counted

MOST_LABELS: Final = 20
"""Labels that are listed by name."""
LONGEST: Final = 1_000
"""Characters of a value."""
FIGURES: Final = {"accuracy": "accuracy", "macro_f1": "macro-F1", "loss": "loss"}
FIGURES_OF_SEVERAL: Final = {
    "micro_f1": "micro-F1",
    "macro_f1": "macro-F1",
    "accuracy": "all labels right",
    "loss": "loss",
}

Section = dict[str, Any]
"""A title, sentences, and perhaps a table: its rows, the first with the names of the columns."""


class Facts:
    """A mapping of unchecked values, which are read by their type."""

    def __init__(self, values: object) -> None:
        self._values: Mapping[str, Any] = values if isinstance(values, Mapping) else {}

    def inside(self, name: str) -> "Facts":
        """A mapping in it; empty if there is none."""
        return Facts(self._values.get(name))

    def text(self, name: str) -> str:
        """A text; empty if there is none."""
        value = self._values.get(name)
        return value[:LONGEST] if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str]:
        """The texts of a list."""
        value = self._values.get(name)
        return [each[:LONGEST] for each in value if isinstance(each, str)] if isinstance(value, list | tuple) else []

    def number(self, name: str) -> float | None:
        """A finite number; None if there is none."""
        return _number(self._values.get(name))

    def count(self, name: str, one: str) -> str:
        """A number of things, with their name; empty if there is none."""
        number = self.number(name)
        return "" if number is None else counted(int(number), one)

    def counted_label(self, name: str) -> tuple[str, int] | None:
        """A label and its number of documents."""
        value = self._values.get(name)
        if not isinstance(value, list | tuple) or len(value) != 2 or _number(value[1]) is None:
            return None
        return str(value[0])[:LONGEST], int(value[1])


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) else None


def sections(classifier: Classifier) -> list[Section]:
    """The card."""
    trained, about = classifier.trained, Facts(classifier.trained.trained)
    card = about.inside("card")
    gives = "those that apply, or none, of" if trained.is_multi else "one of"
    labels = listed(trained.labels)
    made = [
        _section("Task", f"Gives each text {gives} {counted(len(trained.labels), 'label')}: {labels}."),
        _section(
            "Quality", *card.texts("warnings"), *_smaller(about.inside("exported")), table=_figures(classifier, about)
        ),
        _section("When it gives no label", *_unlike(classifier), table=_thresholds(classifier)),
        _section("Data", *_data(about, card)),
        _section("Limits", *_limits(classifier, card)),
        _section("Technical", *_technical(classifier, card)),
    ]
    return [section for section in made if section["texts"] or section["table"]]


def precisions(classifier: Classifier) -> list[dict[str, float | None]]:
    """What the model has learned for each `target_precision`, the lowest first."""
    learned = classifier.trained.abstention
    return [
        {
            "target": float(name),
            "threshold": threshold,
            "coverage": learned.coverage.get(name),
            "precision": learned.precision.get(name),
        }
        for name, threshold in sorted(learned.thresholds.items(), key=lambda each: float(each[0]))
    ]


def listed(labels: list[str]) -> str:
    """The first labels, and how many more there are."""
    more = f" and {len(labels) - MOST_LABELS:,} more" if len(labels) > MOST_LABELS else ""
    return ", ".join(label[:LONGEST] for label in labels[:MOST_LABELS]) + more


def _section(title: str, *texts: str, table: list[list[str]] | None = None) -> Section:
    return {"title": title, "texts": [text for text in texts if text], "table": table or []}


def _figures(classifier: Classifier, about: Facts) -> list[list[str]]:
    names = FIGURES_OF_SEVERAL if classifier.trained.is_multi else FIGURES
    rows = []
    for split in ("validation", "test"):
        found = about.inside(split)
        numbers = [found.number(name) for name in names]
        if None not in numbers:
            documents = found.number("documents")
            rows.append([split, f"{documents or 0:,.0f}", *(f"{number:.4f}" for number in numbers)])
    return [["split", "documents", *names.values()], *rows] if rows else []


def _smaller(exported: Facts) -> Iterator[str]:
    before, after = exported.inside("before").number("micro_f1"), exported.inside("after").number("micro_f1")
    if before is not None and after is not None:
        precision = exported.inside("after").text("precision")
        yield (
            f"Made smaller, with {precision} weights: {after:.4f} where the original model has {before:.4f}, on "
            f"{exported.text('split')}."
        )


def _thresholds(classifier: Classifier) -> list[list[str]]:
    learned = precisions(classifier)
    with_coverage = not classifier.trained.is_multi  # most pairs of a text and a label are no answer
    head = ["precision asked for", "from probability", *(["coverage"] if with_coverage else []), "right on validation"]
    rows = [
        [
            f"{each['target']:g}",
            f"{each['threshold']:.4f}",
            *([_share(each["coverage"])] if with_coverage else []),
            _share(each["precision"]),
        ]
        for each in learned
    ]
    return [head, *rows] if rows else []


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def _unlike(classifier: Classifier) -> Iterator[str]:
    unlike = classifier.trained.abstention.unlike
    if unlike < 1:
        yield f"A text counts as unlike the training texts if more than {unlike:.0%} of its words are unknown."


def _data(about: Facts, card: Facts) -> Iterator[str]:
    if documents := card.count("documents", "document"):
        yield f"Trained on {documents} (tier {about.text('tier')}) of {card.text('source')}."
    elif corpus := about.text("corpus"):
        yield f"Trained on the corpus {corpus} (tier {about.text('tier')})."
    epoch, epochs = card.number("best_epoch"), card.number("epochs")
    if epoch is not None and epochs is not None:
        yield f"Epoch {epoch:.0f} of {epochs:.0f} had the lowest validation loss; seed {about.number('seed') or 0:.0f}."
    refit = about.inside("refit")
    if refit.number("epochs"):
        yield f"Then trained for {refit.count('epochs', 'more epoch')} on train and validation."
    elif refit.number("documents"):
        yield "Its linear classifier then learned from train and validation."
    if description := card.text("description"):
        yield f"The corpus: {description}. Licence: {card.text('licence')}. Cite: {card.text('citation')}"
    most, fewest = card.counted_label("most"), card.counted_label("fewest")
    if most and fewest:
        yield f"Most training documents: {most[0]} ({most[1]:,}); fewest: {fewest[0]} ({fewest[1]:,})."


def _limits(classifier: Classifier, card: Facts) -> Iterator[str]:
    yield "For texts like those it was trained on, where a wrong label does little harm or a person checks it."
    fits = "" if classifier.trained.is_multi else " It gives every text one of its labels, even if none fits."
    yield (
        "It knows only the language, the period and the kind of text it was trained on, and it repeats errors in the "
        f"labels of its training documents.{fits}"
    )
    rare = card.inside("rare")
    if labels := rare.texts("labels"):
        more = int(rare.number("count") or 0) - len(labels)
        few = f"fewer than {rare.number('below') or 0:.0f} training documents"
        others = f" and {more:,} more" if more > 0 else ""
        yield f"Expect more errors on labels with {few}: {', '.join(labels)}{others}."


def _encoder(card: Facts) -> str:
    return f"encoder {card.text('encoder')}" if card.text("encoder") else ""


def _technical(classifier: Classifier, card: Facts) -> Iterator[str]:
    size = sum(array.nbytes for array in classifier.trained.weights.values())
    about = filter(None, (f"Model {classifier.trained.model}", _encoder(card), card.count("parameters", "parameter")))
    yield f"{', '.join(about)}; {size / 1e6:.1f} MB of weights in memory."
    versions = card.inside("versions")
    names = [f"{name} {versions.text(name)}" for name in ("textclf", "python", "torch", "numpy") if versions.text(name)]
    if names:
        yield f"Trained with {', '.join(names)}."
