"""What people run and read."""
