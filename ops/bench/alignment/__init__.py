"""How well and how fast recordings are aligned."""
