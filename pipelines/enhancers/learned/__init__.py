"""Enhancers whose networks come with this package."""
