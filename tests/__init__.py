"""Tests run as the command does: they configure the process before anything imports numpy or torch."""

import os

from textclf.system.search_path import SAFE
from textclf.system.startup import configure_program

configure_program()
del os.environ[SAFE]  # or programs that tests start would be safer than those of a user
