"""Keys: one name, many versions; what is private of them never leaves custody."""
