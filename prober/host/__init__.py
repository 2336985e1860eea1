"""This machine's own answers: what its routing table says, which interfaces are pods', what its counters show."""
