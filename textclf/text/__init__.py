"""Text to token ids, in numpy: training and prediction share every line of it."""
