"""A fault under continuous probing: how soon it is told, and that nothing else is (`python -m bench.watch`)."""
