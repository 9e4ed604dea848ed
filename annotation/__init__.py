"""Human ratings of before/after pairs (extra ``annotation``)."""
