"""Configuration of Flower."""
