"""The one read path: a tree of conditions, its compiler, and the composer of the answers' JSON."""
