"""Label photos with measured deltas: an Apache Beam pipeline of shards."""
