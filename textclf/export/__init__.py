"""A finished model made smaller, or for another runtime, and tested again."""
