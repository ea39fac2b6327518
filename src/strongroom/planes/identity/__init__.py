"""The identity plane: OAuth 2.0 and OpenID Connect, as Entra ID speaks them."""
