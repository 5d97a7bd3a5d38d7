"""The sections of `scripts/bench`, one function each, and the tools they share."""
