"""What `scripts/bench` measures, a section a function, and the means to measure it."""
