"""The pipeline under faults: everything that may break does, and a count in SQL says whether anything was lost."""
