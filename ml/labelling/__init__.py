"""Labels that people give to an archive of their own: reading them, how far people agree, and what to label next."""
