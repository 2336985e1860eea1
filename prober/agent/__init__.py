"""The process in each subnet: probes, witnesses, answers questions about its own routes, and reports.

asking     tasks -> SYNs: ids, source addresses, ports
engine     what it does on the wire, in batches: ask, hear, close, time out
sweep      a whole matrix at once, from two threads
loop       one thread over the wire: send what is due, hear what arrives, close what is open
schedule   what is due when, paced by a token bucket a target
policy     the agent's own last word on what may be probed
handing    SYNs handed to a neighbour on the link, past this host's routes, to read the neighbour's
memory     what it saw in the last minute, for questions about it
brief      what need not be told, and what must not wait
outbox     what is to be reported: collected in columns, closed into numbered reports
backlog    the closed ones until the controller has them: on disk, bounded, newest first and then oldest first
folder     the segments of one outbox, one process at a time
recovery   what an earlier process left there
journal    frames in a segment, each with its checksum
gaps       what goes when not everything can be kept, and the record of it
uplink     the other thread: reports out, orders in; line to a controller and back
credential this agent's own key; enrolling makes it known to the controllers, once
responder  a real kernel listener, so that others can probe this host
"""
