"""A fleet that speaks the real protocol over real HTTP, and what kills it.

world      a document for so many agents and targets, and keys for them
simulated  agents without a network: reports with one probe each, posted, repeated, out of order, with wrong clocks
oracle     what must be in the store, kept outside the processes that are killed
processes  controllers and agents forked from a warmed process, killed with SIGKILL
herd       a large fleet in one process, at as little cost as can be
scale      whether one controller keeps up with it
replicas   several controllers on one PostgreSQL, killed in turns
soak       the trials: a victim, a store, so many kills
chaos      a disk that fills up, a database that goes away
postgres   a server for one trial
"""
