"""Metrics, thresholds, calibration and comparison of scores with ratings."""
