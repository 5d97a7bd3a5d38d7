"""Renders report.html with Jinja, which escapes every text, and with the style of the page of `textclf serve`."""

from collections.abc import Sequence
from importlib.resources import files
from math import isnan
from typing import Any, Final

from textclf import __version__
from textclf.artefacts import runs
from textclf.system import escaping, style
from textclf.system.wording import percent

TEMPLATE: Final = "report.html"
STYLE: Final = "report.css"


def render(values: dict[str, Any]) -> str:
    """The page; ``values`` are the variables of the template. Needs jinja2."""
    from jinja2 import Environment, PackageLoader

    loader = PackageLoader("textclf.evaluation", ".")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, finalize=_shown)
    environment.filters |= {"text": _text, "percent": _percent, "interval": _interval}
    sheet = style.sheet() + (files("textclf.evaluation") / STYLE).read_text(encoding="utf-8")
    return environment.get_template(TEMPLATE).render(
        values, style=markup(sheet), version=__version__, more_training=runs.more_training
    )


def markup(ours: str) -> Any:
    """HTML that we wrote, which is not escaped."""
    from markupsafe import Markup

    return Markup(ours)  # noqa: S704


def _text(text: str) -> Any:
    """A text of several lines, which `_shown` would write as one."""
    from markupsafe import escape

    return escape(escaping.lines(text))


def _shown(value: Any) -> Any:
    """A value of the template; control characters of text, which Jinja lets pass, are escaped."""
    return escaping.line(value) if type(value) is str else value


def _percent(share: float | None) -> str:
    """A share with one decimal, so that few answers do not look like none."""
    return "none" if share is None else percent(share, digits=1)


def _interval(ends: Sequence[float]) -> str:
    """An interval, if there are documents enough for one."""
    low, high = ends
    return "too few documents for an interval" if isnan(low) else f"{percent(0.95)}: {low:.4f} to {high:.4f}"
