"""The way out: every connection to another machine is made here, and none to a private one."""
