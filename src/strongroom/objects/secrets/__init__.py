"""Secrets: one name, many values."""
