"""WHAT happened? One record for every request."""
