"""Files that the pipelines exchange: storage, locks, label tables, provenance, pixels, splits."""
