"""Checks a setting where it enters, by one rule for the command line, TOML and Python. Knows no setting by name.

A config is a frozen dataclass whose annotations are the rules: a type, and with ``Annotated`` a `Range` or a `Choice`.
numpy's numbers count as numbers and paths as strings; a bool is no number, and NaN and infinity are not numbers either.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from math import inf, isfinite
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Final, NamedTuple, get_args, get_origin

from textclf.errors import UsageError

MOST_SHOWN: Final = 60
"""Characters of a value that a message shows."""


class Range(NamedTuple):
    """The numbers from ``low`` to ``high``."""

    low: float = -inf
    high: float = inf
    with_low: bool = True
    """Whether ``low`` itself is one of them."""
    with_high: bool = True

    def has(self, number: float) -> bool:
        """Whether a number is one of them."""
        is_above = number >= self.low if self.with_low else number > self.low
        return is_above and (number <= self.high if self.with_high else number < self.high)

    def __str__(self) -> str:
        high = f"{'at most' if self.with_high else 'below'} {self.high:,}" if self.high < inf else ""
        low = f"{'at least' if self.with_low else 'above'} {self.low:,}" if self.low > -inf else ""
        return " and ".join(bound for bound in (low, high) if bound)


class Choice(NamedTuple):
    """A few names."""

    names: tuple[str, ...]

    def has(self, name: str) -> bool:
        """Whether a name is one of them."""
        return name in self.names

    def __str__(self) -> str:
        return f"one of {', '.join(self.names)}"


class Rule(NamedTuple):
    """What a setting may be."""

    kind: type
    allowed: Range | Choice | None = None
    is_optional: bool = False
    """Whether it may be None."""

    def __call__(self, value: Any) -> Any:
        """The value in the type of the setting; raises ValueError that says what it is not."""
        if self.kind not in CONVERTERS or (value is None and self.is_optional):
            return value
        found = CONVERTERS[self.kind](value)
        if found is None or (self.allowed is not None and not self.allowed.has(found)):
            raise ValueError(f"{shown(value)} is not {self}")
        return found

    def __str__(self) -> str:
        if isinstance(self.allowed, Choice):
            return str(self.allowed)
        return f"{KINDS[self.kind]} {self.allowed or ''}".rstrip()


def check(config: Any) -> None:
    """Check the fields of a new config, and give each its type; raises UsageError that names the first wrong one."""
    for name, rule in rules(type(config)).items():
        object.__setattr__(config, name, checked(name, getattr(config, name), rule))


def checked(name: str, value: Any, rule: Rule) -> Any:
    """A value in the type of its setting; raises UsageError that names the setting."""
    try:
        return rule(value)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


def paths(name: str, value: Any) -> list[Path]:
    """One path or several; raises UsageError that names the setting."""
    given = value if isinstance(value, Iterable) and not isinstance(value, str | bytes) else [value]
    return [checked(name, path, Rule(Path)) for path in given]


def check_names(config: type, names: Iterable[str]) -> None:
    """Raise UsageError at the first name that no setting has; a field of a type of ours is none."""
    known = [name for name, rule in rules(config).items() if rule.kind in CONVERTERS]
    for name in names:
        if name not in known:
            hint = nearest(name, known).rstrip() or f"there are {', '.join(known)}"
            raise UsageError(f"no setting named {shown(name)}; {hint}")


def nearest(name: str, known: Iterable[str]) -> str:
    """Ask whether the known name that is spelled most like another was meant: "did you mean tier? "; "" if none is."""
    close = get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]}? " if close else ""


def rules(config: type) -> Mapping[str, Rule]:
    """The rule of each field of a config."""
    return {field.name: _rule(field.type) for field in fields(config)}


def shown(value: object) -> str:
    """A value as Python spells it, on one line; a long one is cut, and one of several lines is named by its type."""
    spelled = repr(value[: MOST_SHOWN + 1] if isinstance(value, str | bytes) else value)
    if "\n" in spelled:
        return f"a {type(value).__name__}"
    return spelled if len(spelled) <= MOST_SHOWN else f"{spelled[:MOST_SHOWN]}…"


def _rule(annotation: Any) -> Rule:
    if get_origin(annotation) is Annotated:
        kind, allowed = get_args(annotation)
        return _rule(kind)._replace(allowed=allowed)
    if NoneType in get_args(annotation):
        (kind,) = (each for each in get_args(annotation) if each is not NoneType)
        return _rule(kind)._replace(is_optional=True)
    return Rule(get_origin(annotation) or annotation)


# The value in its type, or None if it is of another


def _flag(value: Any) -> bool | None:
    is_numpy = type(value).__module__ == "numpy" and type(value).__name__ in ("bool", "bool_")
    return bool(value) if isinstance(value, bool) or is_numpy else None


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else None


def _number(value: Any) -> float | None:
    if not isinstance(value, Real) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str | PathLike) else None


def _path(value: Any) -> Path | None:
    text = _text(value)
    return None if text is None or "\0" in text else Path(text)


def _texts(value: Any) -> tuple[str, ...] | None:
    given = (value,) if isinstance(value, str | PathLike) else value
    if not isinstance(given, list | tuple) or not all(isinstance(text, str | PathLike) for text in given):
        return None
    return tuple(map(str, given))


CONVERTERS: Final[Mapping[type, Callable[[Any], Any]]] = {
    bool: _flag,
    int: _whole,
    float: _number,
    str: _text,
    Path: _path,
    tuple: _texts,
}
KINDS: Final[Mapping[type, str]] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a string",
    Path: "a path",
    tuple: "a string or a list of strings",
}
