"""Metrics, thresholds, calibration; comparison of scores with ratings is in ``rated``."""

from pipelines.evaluation.thresholds import MEASURES, Target, choose_threshold, find_threshold

__all__ = ["MEASURES", "Target", "choose_threshold", "find_threshold"]
