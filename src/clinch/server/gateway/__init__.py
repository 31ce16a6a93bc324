"""The REST API of the gateway, at the root of the server: one file a noun."""
