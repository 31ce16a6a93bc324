"""A sample organization to look around in: a sales team with a year behind it, always the same."""
