"""`textclf completion`."""

import click

from textclf.cli import commands, terminal, values

SHELLS = ("bash", "zsh", "fish")


@commands.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the script that completes commands in a shell.

    Then the Tab key completes commands, options, and the names of runs, data directories, corpora and labels. For bash
    and zsh, add the line to ~/.bashrc or ~/.zshrc; fish reads the file.

    \b
      eval "$(textclf completion bash)"
      eval "$(textclf completion zsh)"
    \b
    Example:
      textclf completion fish > ~/.config/fish/completions/textclf.fish
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    if made is not None:
        terminal.result(made(context.find_root().command, {}, "textclf", values.COMPLETE).source())
