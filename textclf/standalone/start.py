"""`__main__.py` of a model in one file. It is short: nothing can report damage to it but Python."""

import mmap
import sys
import zlib


def main(path: str) -> int:
    """Verify the file, before any other code of it is run, and run its program; returns the exit code."""
    with open(path, "rb") as file:  # noqa: PTH123
        content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    if content[-8:] != b"%08x" % zlib.crc32(content[:-8]):
        print(f"{path!a} is damaged, its checksum is wrong: copy it or export it again", file=sys.stderr)
        return 4
    if sys.version_info < (3, 11):  # noqa: UP036
        print(f"{path!a} needs Python 3.11 or newer", file=sys.stderr)
        return 2
    from textclf.standalone.program import run

    return run(path)


if __name__ != "textclf.standalone.start":  # and not "== __main__": damage there would end it without a word
    sys.exit(main(sys.path[0]))
