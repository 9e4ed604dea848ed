"""Model files: hashing, loading, records of provenance, packaged weights."""
