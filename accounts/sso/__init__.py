"""Signing in with what another system says: an LDAP directory, an OpenID Connect provider."""
