"""Fit a model's head to ratings, and report on it."""
