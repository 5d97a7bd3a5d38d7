"""The style sheet that pages share: light and dark, on a phone and on a wide screen. Needs no network."""

from importlib.resources import files


def sheet() -> str:
    """The rules; a page adds its own after them."""
    return (files("textclf.system") / "style.css").read_text(encoding="utf-8")
