"""Finding an action by saying what one wants, in English or Chinese."""
