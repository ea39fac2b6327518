"""WHAT may be wrong with an installation? One module for each part of it; none of them changes anything."""
