"""HOW is it served? Workers, TLS and the CA, the CONNECT proxy, limits."""
