"""Readers, one module for each family of formats; `ml.transcripts.registry` says which reads what."""
