"""Work as rows of Postgres: cut into units, claimed under a fenced lease, ended once, put back when it falls."""
