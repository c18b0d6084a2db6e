"""The Celery application: it joins `ml` and `db`, and holds nothing else."""
