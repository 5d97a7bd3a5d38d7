"""Every failure a user can cause, and the exit code it ends with.

    TextclfError                 1  failed while running
    ├── UsageError               2  what was asked for does not exist, may not be used or does not fit together
    ├── DataError                3  the data cannot be used as it is
    ├── ArtefactError            4  a file of ours is damaged, foreign, or from a newer version
    ├── ResourceError            5  out of disk, memory, open files, threads or processes
    ├── DivergedError            6  training produced a loss that is not a number
    ├── QualityError             7  a score is lower than it must be
    ├── InterruptedRunError    130  Ctrl-C, after saving
    ├── ClosedPipeError        141  the reader of stdout closed it; nothing is said, as by other programs
    └── TerminatedRunError     143  SIGTERM, after saving

An error carries one string: what is wrong, where, and the command that mends it. It fits on one line, and exactly one
argument lets a DataLoader worker hand it to the parent unchanged.
"""


class TextclfError(Exception):
    """Base of all errors that textclf reports in one line."""

    exit_code = 1


class UsageError(TextclfError):
    """What was asked for does not exist, may not be read or written, or does not fit together."""

    exit_code = 2


class DataError(TextclfError):
    """The data cannot be used as it is."""

    exit_code = 3


class ArtefactError(TextclfError):
    """A file that textclf wrote is damaged, foreign, or from a newer version."""

    exit_code = 4


class ResourceError(TextclfError):
    """The machine ran out of disk, memory, open files, threads or processes."""

    exit_code = 5


class DivergedError(TextclfError):
    """Training produced a loss that is not a number."""

    exit_code = 6


class QualityError(TextclfError):
    """A score is lower than the command was told that it must be."""

    exit_code = 7


class InterruptedRunError(TextclfError):
    """The user pressed Ctrl-C; the run was saved."""

    exit_code = 130


class ClosedPipeError(TextclfError):
    """The reader of stdout closed it; the exit code is that of a program ended by SIGPIPE, as a shell shows it."""

    exit_code = 141


class TerminatedRunError(TextclfError):
    """The process was asked to end (SIGTERM); the run was saved."""

    exit_code = 143
