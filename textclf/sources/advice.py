"""What to do about a file, for readers who have no options to add: those of a page, or of a second file."""

import re
from typing import Final

_ENCODING: Final = re.compile(r"try --encoding\b.*", re.DOTALL)
_OPTION: Final = re.compile(r"(?<!\w)--[a-z]")


def without_options(message: str) -> str:
    """A message about a file without the options that `textclf predict` has for it.

    What comes first says what is wrong, and stays; the clauses after it that name an option are left out, but for a
    wrong encoding, which can be changed in the file.
    """
    what, *advice = _ENCODING.sub("save it as UTF-8", message).split("; ")
    return "; ".join([what, *(clause for clause in advice if not _OPTION.search(clause))])
