"""Syslog in: datagrams and streams, framed, told apart by sender, handed to the spools."""
