"""WHAT holds it? The vault, its policies, its own life cycle."""
