"""Published emotion classifiers as `transformers` saves them, with their labels mapped to the canonical classes."""
