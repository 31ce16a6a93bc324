"""OAuth 2: programs that act for somebody, without their password, within what was allowed."""
