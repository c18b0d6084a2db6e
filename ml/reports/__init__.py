"""Reports of experiments: figures as JSON, a text for people, pictures. Needs no torch."""
