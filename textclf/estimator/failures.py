"""The errors of the estimator, which are those that scikit-learn's callers expect as well.

Meta-estimators catch ValueError and let Ctrl-C pass: a search over parameters must not take it for a failed fit.
"""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from textclf.errors import DataError, InterruptedRunError, TerminatedRunError, TextclfError, UsageError


class InputError(DataError, ValueError):
    """Texts or labels that cannot be used."""


class ParameterError(UsageError, ValueError):
    """A parameter that does not exist, or that has a value it cannot have."""


class UnsupportedError(UsageError, AttributeError):
    """A method of other estimators that this one does not have, so that ``hasattr`` is False."""


@contextmanager
def as_of_scikit_learn() -> Iterator[None]:
    """Raise InputError for DataError and ParameterError for UsageError; options in messages become parameters.

    A signal that was held back until all was cleaned up has the effect that it has without textclf: by default,
    KeyboardInterrupt or the end of the process.
    """
    try:
        yield
    except InterruptedRunError:
        signal.raise_signal(signal.SIGINT)
        raise KeyboardInterrupt from None
    except TerminatedRunError as error:
        signal.raise_signal(signal.SIGTERM)  # a worker of joblib would go on with its next item at an exception
        raise SystemExit(error.exit_code) from None
    except TextclfError as error:
        kinds = {DataError: InputError, UsageError: ParameterError}
        raise kinds.get(type(error), type(error))(_of_parameters(str(error))) from error


def _of_parameters(message: str) -> str:
    """A message with parameters in place of options of the command line, about texts in place of a source."""
    message = message.removeprefix("documents: ").replace("documents[", "texts[", 1)
    message = message.replace(": add --validation FILE", "; give more texts")
    return re.sub(r"--([a-z]+(?:-[a-z]+)*)", lambda option: option[1].replace("-", "_"), message)
