"""The gate before a promotion: champion against challenger on the same people, and whether the labels deserve trust.

Plain arrays in, a decision with its numbers out; no SQL, no models.
"""
