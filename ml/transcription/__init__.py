"""Optional speech recognition, for recordings without a transcript."""
