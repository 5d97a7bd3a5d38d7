"""Text to token ids, in numpy: preprocessing, training and prediction share this code."""
