"""Text from strangers, escaped for where it is shown: a terminal, JSON, Markdown, a table in Markdown, a spreadsheet.

Labels, texts, ids, column names and paths can hold escape sequences that rewrite a terminal, characters that reverse
the order of those around them (https://trojansource.codes), line breaks, and markup. Letters of every script, emoji
and their joiners stay as they are. HTML is escaped by Jinja, see `textclf.evaluation.report`.
"""

import json
import re
from typing import Any, Final

_HIDDEN: Final = (
    "\x7f-\x9f"  # DEL and C1, of which CSI (9B) begins a sequence as ESC does
    "\xad\u061c\u180e\u200b\u200e\u200f"  # soft hyphen, marks of direction, no width
    "\u2028-\u202e\u2060-\u206f"  # separators of lines and paragraphs, embeddings, overrides, isolates
    "\ud800-\udfff\ufeff\ufff9-\ufffb"  # lone surrogates, byte-order mark, annotations
    "\U000e0000-\U000e007f"  # tags, which hide a copy of ASCII
)
_IN_LINE: Final = re.compile(f"[\0-\x1f{_HIDDEN}]")
_IN_LINES: Final = re.compile(f"[\0-\x08\x0b-\x1f{_HIDDEN}]")  # all but tabs and line feeds
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False)  # `json.dumps` would make one for each value
_MARKS: Final = re.compile(r"[!-/:-@\[-`{-~]")  # all ASCII punctuation
_BACKTICKS: Final = re.compile("`+")
_FORMULA: Final = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def line(value: object) -> str:
    r"""A value on one line of a terminal: control characters and line breaks as ``\n``, ``\x1b``, ``\u202e``."""
    text = str(value)
    return text if text.isprintable() else _IN_LINE.sub(_as_in_python, text)


def lines(text: str) -> str:
    """Text for a terminal that may have several lines and tabs; escaped like `line`."""
    return text if text.isprintable() else _IN_LINES.sub(_as_in_python, text)


def to_json(value: Any, *, indent: int | None = None) -> str:
    """JSON in which the characters that `line` escapes are escaped, too; a reader gets the same value."""
    text = _ENCODER.encode(value) if indent is None else json.dumps(value, indent=indent, ensure_ascii=False)
    return text if text.isprintable() else _IN_LINES.sub(lambda found: in_json(found[0]), text)


def in_json(character: str) -> str:
    r"""A character as an escape of JSON: ``\u202e``, or two of them beyond U+FFFF."""
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def code_span(value: object) -> str:
    """A value as code in a line of Markdown, where nothing in it is markup: https://spec.commonmark.org/0.31.2/#code-spans."""
    text = line(value) or " "
    fence = "`" * (max(map(len, _BACKTICKS.findall(text)), default=0) + 1)
    padding = " " if text.strip(" ") and (text[0] in "` " or text[-1] in "` ") else ""
    return f"{fence}{padding}{text}{padding}{fence}"


def table_cell(value: object) -> str:
    """A value in a cell of a Markdown table: punctuation as character references, which are never markup."""
    return _MARKS.sub(lambda found: f"&#{ord(found[0])};", line(value))


def spreadsheet_cell(value: object) -> str:
    """A value on one line that no spreadsheet takes for a formula; https://owasp.org/www-community/attacks/CSV_Injection."""
    text = line(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


def _as_in_python(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
