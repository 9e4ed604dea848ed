"""Degradation model, and folders of photos degraded with it."""
