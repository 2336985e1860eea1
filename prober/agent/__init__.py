"""The process in each subnet: probes, witnesses, answers questions about its own routes, and reports.

main       the process: sockets, then no privilege, then the loop
loop       one thread over the wire: obey, ask, hear, close what is open, report
inbox      orders on their way from the other thread
mandate    the plan that it goes by, until it expires
policy     the agent's own last word on what may be probed

prober     the half that asks: what is due leaves as SYNs
schedule   what is due when, paced by a token bucket a target
burst      a task done once, flow by flow
asking     tasks -> SYNs: ids, source addresses, ports
ports      which source port is next, and which rest
handing    SYNs handed to a neighbour on the link, past this host's routes, to read the neighbour's
dialler    the kernel's own connect(), now and then
engine     what it does on the wire, in batches: ask, hear, close, time out
sweep      a whole matrix at once, from two threads

witness    the half that tells what it saw
brief      what need not be told, and what must not wait
memory     what it saw in the last minute, for questions about it
takers     which SYNs this host's own TCP took
echoes     copies of answers, which the controller asks for
coverage   since when all that came by was captured
mishaps    what sending met

outbox     what is to be reported: collected in columns, closed into numbered reports
backlog    the closed ones until the controller has them: on disk, bounded, newest first and then oldest first
folder     the segments of one outbox, one process at a time
recovery   what an earlier process left there
journal    frames in a segment, each with its checksum
gaps       what goes when not everything can be kept, and the record of it
uplink     the other thread: reports out, orders in
exchange   one message there and one back over TCP, each within a bounded time
line       to a controller and back: httpx as far as it is needed
detour     peers through which reports go while the own way is broken
credential this agent's own key
enrolling  making it known to the controllers, once
doors      what it listens on
responder  a real kernel listener, so that others can probe this host
relaying   others' reports, taken for the controller
"""
