"""Archives in an object store (`s3://bucket/prefix`): listed, brought to this machine's disk a little at a time."""
