"""Miniature corpora in the published layouts, with short sounds whose pitch tells the class."""
