"""Finding actions, running them, saving requests as actions, and the records of runs."""
