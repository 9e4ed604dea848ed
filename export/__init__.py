"""From a Keras model to the TFLite file a phone embeds (extra ``export``)."""
