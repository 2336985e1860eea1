"""Measure prober beside its peers, in namespaces that lead nowhere: `python -m bench`."""
