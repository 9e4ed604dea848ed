"""Commands with which people rate: pairs, annotate, ratings."""
