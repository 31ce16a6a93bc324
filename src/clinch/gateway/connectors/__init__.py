"""The apps that can be connected: what each is, how one is let in, and what can be asked of it."""
