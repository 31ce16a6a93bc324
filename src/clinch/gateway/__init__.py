"""The gateway: through it people's agents use this server and other apps."""
