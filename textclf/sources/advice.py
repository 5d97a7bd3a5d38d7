"""What to do about a file, for readers who have no options to add: those of a page, or of a second file."""

import re
from typing import Final

_IN_THE_FILE: Final = (
    (re.compile(r"try --encoding\b.*", re.DOTALL), "save it as UTF-8"),
    (
        re.compile(r"name the columns in their order: --.*", re.DOTALL),
        "write the names of the columns into its first line",
    ),
)
"""What an option would mend, and how it is mended in the file."""
_OPTION: Final = re.compile(r"(?<!\w)--[a-z]")


def without_options(message: str) -> str:
    """A message about a file without the options that `textclf predict` has for it.

    What comes first says what is wrong, and stays; the clauses after it that name an option are left out, but for what
    can be changed in the file.
    """
    for option, change in _IN_THE_FILE:
        message = option.sub(change, message)
    what, *advice = message.split("; ")
    return "; ".join([what, *(clause for clause in advice if not _OPTION.search(clause))])
