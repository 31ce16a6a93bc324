"""Connections: an app, let in for a tenant; what they hold, how it stays fresh, calls by them."""
