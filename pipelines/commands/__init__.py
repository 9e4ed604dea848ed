"""Commands that label, degrade, enhance, train and evaluate."""
