"""Train the trigger, the scorer and the enhancers with Keras."""
