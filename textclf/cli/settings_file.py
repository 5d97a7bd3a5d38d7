"""A TOML file with a table of options for each command, such as ``[train]``; the option --config of every command.

A key is the name of an option without its dashes. An option on the command line overrides the file, and all values are
checked here, by the rules of the command line, so that what is wrong is named with its file and key.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import click

from textclf.errors import UsageError
from textclf.settings import shown
from textclf.system import failures

ONLY_ON_THE_COMMAND_LINE: Final = ("config", "resume", "quiet", "verbose", "debug")
"""Options that are about one time."""

OTHER_THAN_STRINGS: Final = ("integer", "number", "size", "name,name,…")
"""Names of the types of options whose values can be numbers or lists in TOML; all others are strings there, too."""


def option() -> click.Option:
    """--config, which reads the file before the other options are."""
    return click.Option(
        ("--config",),
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        metavar="FILE",
        is_eager=True,
        expose_value=False,
        callback=_read,
        help="TOML file with a table of options for each command, such as [train]; `textclf init` writes one. The "
        "command line overrides it.",
    )


def options_by_key(command: click.Command) -> dict[str, click.Option]:
    """The options of a command that a file can set, by their keys; an option of two names has two."""
    return {
        key: option
        for option in command.params
        if isinstance(option, click.Option)
        for key in map(_plain, option.opts)
        if key not in ONLY_ON_THE_COMMAND_LINE and len(key) > 1
    }


def _read(context: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    """Callback of --config: the values for this command become the defaults."""
    if path is None:
        return
    tables = _tables(path)
    names = context.find_root().command.list_commands(context)  # type: ignore[attr-defined]
    for name, table in tables.items():
        if not isinstance(table, Mapping):
            raise UsageError(f"{path}: {shown(name)} is in no table; put it below [{context.info_name}]")
        if _plain(name) not in names:
            raise UsageError(f"{path}: there is no command for [{name}]{_nearest(name, names, '[{}]')}")
    options = options_by_key(context.command)
    given = [table for name, table in tables.items() if _plain(name) == context.info_name]
    values: dict[str, Any] = {}
    for key, value in (item for table in given for item in table.items()):
        place = f"{path}: [{context.info_name}]"
        if _plain(key) not in options:
            raise UsageError(f"{place} has no option {key}{_nearest(key, options, '{}')}")
        found = options[_plain(key)]
        values[str(found.name)] = _checked(value, found, context, f"{place} {key}")
    context.default_map = {**(context.default_map or {}), **values}


def _tables(path: Path) -> dict[str, Any]:
    """What a file holds; raises UsageError if it is not TOML."""
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise failures.refused(error, path) or UsageError(f"{path} cannot be read as TOML: {error}") from error


def _plain(name: str) -> str:
    """The key that an option, or a key in either spelling, is known by: text-column."""
    return name.lstrip("-").replace("_", "-")


def _nearest(name: str, names: Iterable[str], form: str) -> str:
    """What to write in place of a name that does not exist."""
    known = list(dict.fromkeys(names))
    if close := get_close_matches(_plain(name), known, n=1):
        return f"; did you mean {form.format(close[0])}?"
    return f"; there are {', '.join(map(form.format, known))}"


def _checked(value: Any, option: click.Option, context: click.Context, place: str) -> Any:
    """The value for an option; raises UsageError if it cannot have it."""
    if option.is_flag:
        if not isinstance(value, bool):
            raise UsageError(f"{place}: {shown(value)} is neither true nor false")
        return value
    if option.multiple:
        value = value if isinstance(value, list) else [value]
    for each in value if option.multiple else [value]:
        if option.type.name not in OTHER_THAN_STRINGS and not isinstance(each, str):
            raise UsageError(f"{place}: {shown(each)} is not a string")
    try:
        option.type_cast_value(context, value)
    except (click.UsageError, UsageError) as error:
        message = error.message if isinstance(error, click.UsageError) else error
        raise UsageError(f"{place}: {message}") from error
    return value
