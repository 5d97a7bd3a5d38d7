"""How this process behaves: files, checksums, memory, signals, other processes. Knows nothing about text."""
