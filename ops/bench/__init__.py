"""Benchmarks: each names its baseline and prints its figures as one JSON object on its last line."""
