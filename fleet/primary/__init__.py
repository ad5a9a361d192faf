"""How a portal's zones come onto the name server that is their primary: one module a way."""
