"""What a run leaves: its directory, the model that predicts, the model card, and whether they are whole."""
