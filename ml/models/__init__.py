"""The published emotion models, one package per paper, and what they share: fusion and calibration."""
