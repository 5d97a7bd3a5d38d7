"""The errors of the estimator, which are those that scikit-learn's callers expect as well.

Meta-estimators catch ValueError and let Ctrl-C pass: a search over parameters must not take it for a failed fit.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from textclf.errors import DataError, InterruptedRunError, TerminatedRunError, UsageError


class InputError(DataError, ValueError):
    """Texts or labels that cannot be used."""


class ParameterError(UsageError, ValueError):
    """A parameter that does not exist, or that has a value it cannot have."""


class UnsupportedError(UsageError, AttributeError):
    """A method of other estimators that this one does not have, so that ``hasattr`` is False."""


@contextmanager
def as_of_scikit_learn() -> Iterator[None]:
    """Raise InputError for DataError, ParameterError for UsageError, KeyboardInterrupt or SystemExit for a signal."""
    try:
        yield
    except InterruptedRunError:
        raise KeyboardInterrupt from None
    except TerminatedRunError as error:
        raise SystemExit(error.exit_code) from None
    except (InputError, ParameterError):
        raise
    except DataError as error:
        raise InputError(_without_options(str(error))) from error
    except UsageError as error:
        raise ParameterError(str(error)) from error


def _without_options(message: str) -> str:
    """A message about documents in memory without options of the command line, which the caller cannot give."""
    message = message.removeprefix("pairs: ").replace("pairs[", "texts[", 1)
    return message.replace(": add --validation FILE", "; give more texts")
