"""Setting up a checkout; run through `make`."""
