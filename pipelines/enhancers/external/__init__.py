"""Enhancers whose weights come from other packages."""
