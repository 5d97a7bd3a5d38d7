"""Tests run as the command does: they configure the process before anything imports numpy or torch."""

from textclf.system.startup import configure_program

configure_program()
