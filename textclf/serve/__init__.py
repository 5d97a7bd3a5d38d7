"""Predictions over HTTP, and a page to try them. No torch. Needs the extra `serve`."""
