"""OAuth at the door: the pages on which people allow, and the endpoints that programs ask."""
