"""Readers of labelled corpora; every one yields `LabelledUtterance` items."""
