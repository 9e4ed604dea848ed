"""Decode photos: formats, orientation, colour, limits."""
