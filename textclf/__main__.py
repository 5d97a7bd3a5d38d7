"""The program `textclf`, also ``python -m textclf``: what fails before the command line is there is one line, too."""

import sys


def main() -> None:
    """Run the command line and exit."""
    try:
        from textclf.cli import main as run
    except (EOFError, ImportError, MemoryError, OSError, ValueError) as error:
        from textclf.system import failures

        explained = failures.explain(error)
        if explained is None:
            raise
        print(f"textclf: {explained}", file=sys.stderr)
        sys.exit(explained.exit_code)
    run()


if __name__ == "__main__":
    main()
