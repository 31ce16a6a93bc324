"""The one write path: every change of a CRM row goes through `WritePath.write`."""
