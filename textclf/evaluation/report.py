"""A run's report: one HTML file without scripts, which needs no network. Jinja escapes every text in it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from textclf.artefacts import runs
from textclf.evaluation import plots
from textclf.evaluation.calibration import binned
from textclf.evaluation.evaluate import score
from textclf.evaluation.predictions import predict
from textclf.system import escaping, files, requirements

MISTAKES: Final = 25
TEMPLATE: Final = "report.html"


def write(run: Path, path: Path, *, split: str, code: Sequence[Path] = ()) -> None:
    """Write the report of a run's model on a split; raises what `predictions.predict` raises."""
    requirements.need("a report", requirements.REPORTING)
    from jinja2 import Environment, PackageLoader

    found = predict(run, split=split, code=code)
    evaluation = score(found)
    layout = runs.resolve(run)
    figures = runs.read_json(layout.metrics)
    history = runs.read_lines(layout.history)
    outcome = found.outcome
    before, after = (binned(*outcome.confident(how)) for how in (outcome.how._replace(temperature=1.0), None))
    counts = np.array(evaluation.confusion)
    loader = PackageLoader("textclf.evaluation", ".")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, finalize=_shown)
    html = environment.get_template(TEMPLATE).render(
        run=found.run,
        split=split,
        figures=figures,
        evaluation=evaluation,
        settings=runs.read_json(layout.config)["settings"],
        curves=plots.svg(plots.curves(history, best_epoch=figures["best_epoch"])),
        confusion=plots.svg(plots.confusion(counts, found.names)) if len(counts) else "",
        reliability=plots.svg(plots.reliability(after, before=before)),
        mistakes=[
            {
                "document": found.document(place),
                "label": found.label(place),
                "answer": outcome.answer(place),
                "probability": outcome.sureness(place),
                "text": found.text(place, most=120),
            }
            for place in outcome.mistakes(MISTAKES)
        ],
    )
    files.write_text(path, html)


def _shown(value: Any) -> Any:
    """A value of the template; control characters of text, which Jinja lets pass, are escaped."""
    return escaping.line(value) if type(value) is str else value
