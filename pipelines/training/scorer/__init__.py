"""Train the quality scorer."""
