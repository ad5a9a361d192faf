"""What firewalls tell, line by line: one module a brand."""
