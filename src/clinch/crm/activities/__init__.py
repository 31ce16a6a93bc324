"""What happened with a lead: one table, and a resource for each type of activity."""
