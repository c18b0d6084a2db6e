"""Adapting a speech model to a new corpus: transfer learning for retraining (Han, Zhao, Wang 2019)."""
