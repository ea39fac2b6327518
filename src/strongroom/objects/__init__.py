"""WHAT is kept? Keys, secrets, certificates, and the life cycle that they share."""
