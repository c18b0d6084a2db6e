"""Experiments on corpora: what is prepared, trained and compared from a corpus to a report."""
