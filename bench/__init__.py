"""Benchmarks: the program against SQL written by hand, in the same minutes on the same machine."""
