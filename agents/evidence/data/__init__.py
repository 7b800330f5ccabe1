"""Tables, logs, JSON, XML and settings: their rows, and which of them say a sentence."""
