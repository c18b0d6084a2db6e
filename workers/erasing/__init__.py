"""Erasing recordings and people: their rows, then the files that hold something of them."""
