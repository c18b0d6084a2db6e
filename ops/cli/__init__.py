"""The `tenor` command."""
