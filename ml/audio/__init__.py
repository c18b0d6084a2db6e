"""Audio in: any container and codec to 16 kHz samples, and where speech is in them."""
