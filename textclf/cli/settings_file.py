"""A TOML file that sets a command's options."""

import tomllib
from pathlib import Path

import click

from textclf.errors import UsageError
from textclf.system import failures


def read_settings_file(context: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    """Callback of --config: the file's values become the defaults, so that an option still overrides them."""
    if path is None:
        return
    try:
        values = {
            key.replace("-", "_"): value for key, value in tomllib.loads(path.read_text(encoding="utf-8")).items()
        }
    except (OSError, ValueError) as error:
        raise failures.refused(error, path) or UsageError(f"{path} cannot be read as TOML: {error}") from error
    known = {parameter.name for parameter in context.command.params} - {"config", "resume", "code", "help"}
    if unknown := sorted(values.keys() - known):
        raise UsageError(f"{path} sets {', '.join(unknown)}, and there are only: {', '.join(sorted(known))}")
    context.default_map = {**(context.default_map or {}), **values}
