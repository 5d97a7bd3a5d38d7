"""`textclf init`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from textclf.cli import commands, options, settings_file, terminal, values
from textclf.errors import UsageError

HEAD: Final = (
    "Options of textclf: a table for each command. `textclf train --config FILE` takes those below [train]; an option "
    "on the command line overrides them. Each line has the default; where that is not fixed, the line begins with #: "
    "remove the #, and put a value in place of the word in capitals. Several values of an option are a list, such as "
    '["a.csv", "b.csv"].'
)


@commands.command("init")
@options.output("the settings: a file.", default=Path("textclf.toml"), show_default=True)
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
@click.pass_context
def command(context: click.Context, /, output: Path, *, overwrite: bool) -> None:
    """Write a TOML file of all options, with their defaults.

    Every command takes it, as in `textclf train --config textclf.toml`; --quiet, --verbose, --debug and --resume are
    for the command line.

    \b
    Example:
      textclf init
    """
    from textclf.system import files

    if output.exists() and not overwrite:
        raise UsageError(f"{output} is there: name another --output, or replace it with --overwrite")
    if output.exists() and not output.is_file():
        raise UsageError(f"{output} is not a file; name another --output")
    commands = context.find_root().command.commands  # type: ignore[attr-defined]
    files.write_text(output, to_toml({name: commands[name] for name in commands if name != context.info_name}))
    terminal.result_line(output)


def to_toml(commands: Mapping[str, click.Command]) -> str:
    """A table for each command, with a comment and a line for each of its options that a file can set."""
    return "\n".join([_comment(HEAD), *filter(None, map(_table, commands, commands.values())), ""])


def _table(name: str, command: click.Command) -> str:
    keys: dict[str, list[str]] = {}
    found = settings_file.options_by_key(command)
    for key, option in found.items():
        keys.setdefault(str(option.name), []).append(key)
    entries = [_entry(names[0], found[names[0]], command) for names in keys.values()]
    return "\n".join([f"\n[{name}]", *entries]) if entries else ""


def _entry(key: str, option: click.Option, command: click.Command) -> str:
    """An option as its comment and its line, which is a comment, too, if the option has no fixed default."""
    context = click.Context(command)
    choices = f" One of: {', '.join(option.type.choices)}." if isinstance(option.type, click.Choice) else ""
    sentence, bracket, rest = (option.help or "").partition(" [default:")
    text = f"{sentence}{choices}{bracket}{rest}"
    default = _default(option, context)
    if default is None:
        return f"\n{_comment(text)}\n# {key} = {_placeholder(option, context)}"
    return f"\n{_comment(text)}\n{key} = {_value(default)}"


def _default(option: click.Option, context: click.Context) -> Any:
    """The default of an option; None if it has none that is fixed."""
    if option.multiple:
        return []
    default = option.get_default(context)
    if option.is_flag and default is not None:
        return default is True
    return default if isinstance(default, bool | int | float | str | tuple | Path) else None


def _comment(text: str) -> str:
    return "\n".join(f"# {line}" for line in terminal.wrapped(text, width=terminal.WIDTH - 2).split("\n"))


def _placeholder(option: click.Option, context: click.Context) -> str:
    """The kind of value that an option takes, in quotes if that is a string."""
    if option.is_flag:
        return "true"
    if isinstance(option.type, click.Choice):
        return _value(option.type.choices[0])
    metavar = option.make_metavar(context)
    return metavar if isinstance(option.type, values.Number) else _value(metavar)


def _value(value: Any) -> str:
    """A value as TOML; JSON spells strings, numbers, booleans and lists of these as TOML does."""
    return json.dumps(str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value)
