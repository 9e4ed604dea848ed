"""Beam labelling, enhancers, scorers, training and evaluation (extra ``pipelines``)."""
