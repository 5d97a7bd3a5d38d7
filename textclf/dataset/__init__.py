"""``data/<name>/``: how it is made from a corpus, and read again. Knows nothing about models."""
