"""Everything Tenor knows about speech and text: plain functions, dataclasses and torch modules."""
