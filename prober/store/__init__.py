"""The database: the only door to SQLAlchemy. SQLite by default; the same tables on PostgreSQL (extra ``postgres``).

engine    the door: open, transactions, what both databases say alike
url       where the database is, as operators write it
dialects  SQLite and PostgreSQL: how each is opened, what its connections are told
bounded   a PostgreSQL that does not answer is waited for so long and no longer
refusals  what the database says no with, turned into sentences
schema    revisions: upgrade to head, refuse anything else
tables    what is kept; the migrations build exactly this
reports   the intake log: what was acknowledged is here, once
verdicts  what was said of each probe, with its evidence
minutes   counts a pair and an objective, by the minute
flips     changes worth telling; incidents what they have in common; alerts who was told
snapshots the matrix as it was shown
runs      on-demand matrix runs
errands   what agents are to do once
findings  what experiments found
lease     which of several controllers keeps what follows from the reports
notices   how they wake each other
fleet     the fleet's keys and the agents' numbers
tokens    who may call; secrets are kept hashed
keys      the agents' public keys; a token that is used up brings one in
audit     who did what; also the signatures that were already used

Functions take the `Store` first. Times are Unix nanoseconds, in columns that end in ``_ns``.
"""
