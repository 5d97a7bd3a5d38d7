"""The process: files, checksums, memory, signals, worker processes. Knows nothing about text."""
