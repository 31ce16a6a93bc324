"""Who the tenants are, who calls for one, and the way to what is theirs."""
