"""Carry the metadata of a photo file, byte for byte, over to a new file of the same format."""
