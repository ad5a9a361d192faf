"""Who is served: the firewalls, their settings and what they pulled."""
