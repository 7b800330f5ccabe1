"""What a call of a model is held to, whatever the model: when it is cut short."""
