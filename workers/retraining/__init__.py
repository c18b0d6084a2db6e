"""Retraining: from labels in the database to models that analyse better, or to the decision not to change anything."""
