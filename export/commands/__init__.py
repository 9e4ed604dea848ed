"""The command that converts a model to TFLite: export."""
