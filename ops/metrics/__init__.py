"""Metrics for Prometheus: what Postgres, Redis and the GPUs of this machine say about the work, on one page.

`python -m ops.metrics` (or `tenor metrics`) serves them; ops/docs/metrics.md lists and explains them.
"""
