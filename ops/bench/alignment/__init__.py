"""Benchmarks of alignment: boundaries, speakers, memory, batching."""
