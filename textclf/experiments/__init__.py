"""More than one run: over seeds, over tiers, two compared, one repeated."""
