"""A bidirectional LSTM."""
