"""Rebuild, describe and package the models that come with the project."""
