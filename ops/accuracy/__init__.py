"""What the models are worth: reports of real runs, kept as JSON, and the pages that are generated from them."""
