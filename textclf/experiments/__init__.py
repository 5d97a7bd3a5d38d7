"""More than one run: over seeds, two compared, one trained again."""
