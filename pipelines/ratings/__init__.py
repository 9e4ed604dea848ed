"""Ratings tables, their aggregation, and agreement between raters."""
