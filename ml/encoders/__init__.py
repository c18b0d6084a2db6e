"""Pretrained encoders, read through `transformers`: speech to frames, text to token vectors."""
