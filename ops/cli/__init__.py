"""The command `tenor`."""
