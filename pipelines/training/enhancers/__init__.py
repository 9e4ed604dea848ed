"""Train the enhancers' networks."""
