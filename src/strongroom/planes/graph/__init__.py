"""The Graph plane: the directory, to be read."""
