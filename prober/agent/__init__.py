"""The process in each subnet: probes, witnesses, answers questions about its own routes, and reports.

loop       one thread over the wire: send what is due, hear what arrives, close what is open
schedule   what is due when, paced by a token bucket a target
policy     the agent's own last word on what may be probed
outbox     what is to be reported: collected, numbered, kept until the controller has it
uplink     the other thread: reports out, orders in
responder  a real kernel listener, so that others can probe this host
"""
