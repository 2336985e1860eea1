"""Prober: which way did the handshake die, who is the culprit, and the packets that prove it.

One way through for the data; each name is a file or a folder beside this one::

    targets.yaml > targets > plan > probe > handshake <> wire             on the agent
                                              v
                                          sighting > report > agent/outbox > agent/uplink
                                                                v
    surfaces < slo, flip < matrix < classify < joiner < store < controller/intake
    (api page metrics chat)                                               on the controller

The nouns, in the order data meets them. All are pure: values in, values out, `now` and seeds handed in.

=============  ==========================================================================
address        addresses and networks of either family
segment        a batch of TCP/IP header fields, one numpy row a packet; no bytes, no scapy
document       YAML text -> a tree in which every value knows its line and column
fields         how a key of the document is read; the parser and the JSON schema come from one table
scalars        the words and numbers it may hold: names, ports, addresses, lengths of time
declared       zones, agents, targets, probes, objectives, policy: what a document declares
sheet          the whole document as read: its items, names, policy and networks
crosscheck     what no single key can show: names that exist, addresses inside zones and policy
targets        ``targets.yaml`` -> `declared`, or every mistake with its line and what would be right
room           how many blocks a pool has left before it hands out one that holds part of another subnet
audit          the address plan, read for the outage it holds: what overlaps, and how far each pool is from it
rotation       where the full matrix costs too much: in which round each pair is asked
plan           who asks whom, how often, and what that costs in packets a second
splitting      a pair that takes turns has failed: which others to ask at once
probe          a probe's identity: how it rides in ISN and TSval and is recognised again
idtable        ids -> rows, in columns
translated     probes to which a NAT gave another source port, as one tap saw them
handshake      the rules: how far a handshake gets, what may happen to it, and where that leads
ledger         the handshakes under way, a row each, found by id
handshakes     they go by the rules: segments in, segments and outcomes out
sighting       who saw which segment of which probe, where, which way; no opinion
report         what an agent and the controller say to each other, in columns
enrolment      how an agent begins: a token that is good once, and a key of its own
signature      a request that an agent signed (RFC 9421), and for how long that counts
relay          a report that a peer hands in: signed by its own agent, acknowledged as only the controller can
observation    both ends of one probe: everything that is judged of it
places         its vector: each place seen, not seen while watched, or not watched
baseline       a cell as it was when all was well: by which ways its packets passed, and who carried them
vantage        what one agent said of its own watching: covered when, silent since when, counters
pending        one probe until nothing more can come
joiner         reports in, observations out, joined by the probe's identity and never by a clock
verdict        the words: label, cause, culprit, confidence, next step
classify       the rules in order: observation -> verdict; rules_forward, rules_target, rules_return by where it died,
               rules_misroute those of an answer that went elsewhere
rules_untapped rules for a target's side that may not capture: half-open sockets, routes and counters
halfopen       the half-open sockets of agents without a tap, matched to probes
leftovers      half-open sockets that earlier probes left, and the bare ACKs by which a later SYN meets one
peers          whom a target answered around the time of a probe that it did not answer
questions      whose routing table is asked about a failed probe
answers        what routing tables said, when, and whether it was so while a probe was under way
inquiry        routing tables that are asked about probes under way, and who waits for which answer
facts          what the rules read off an observation, and the one door through which a verdict is said
routing        routes as agents told them, read: what one refuses, whose its next hop is, whom its prefix covers
icmp           what ICMP errors say of a probe
carriers       who carried a probe's packets: on their usual way or off it, handing them on or keeping them
byway          a host's way to the prober, asked from its own link where no agent stands on it
infer          what the rest of the matrix says of a target that nobody watches
odds           exact odds: could this pattern of losses be chance
flows          many handshakes of one cell together: a dead leg, a band of ports, random loss
experiment     what prober tries by itself when a cell fails, and what came of it
spells         handshakes of a cell in the order of time: what comes and goes
beside         what the other cells say of a failing one: the other way round, other sources, other targets
copies         copies of answers that the responder sends: a dead leg, where its own answers seem lost at random
trace          how far a segment came, by the routers that told when its TTL ran out
hearsay        what was told of a pair's last probes, where nobody told of this one
ladder         an observation drawn as arrows between the prober, the responder, a witness
localise       many verdicts -> findings: cells that fail with one element in common, and what speaks against it
matrix         verdicts folded into cells, source x target; freshness is part of a cell
blocks         the rectangles that zones cut out of a matrix of numbers, each summed into one
columns        the matrix of a large fleet: numbers for the cells that are well, a cell where anything happened
slo            counts -> attainment, budget left, burn rate
flip           a cell's changes worth telling
incident       cells that are told to fail with one cause, from the first flip to the last: what an alert is about
alert          what people are woken for: an incident, or a budget that burns; what is news of it
confusion      what was expected held against what was said, counted
swept          many probes of one agent judged at once, by sorts
replay         recorded reports judged again, without a network
pcapng         captured frames and what was made of them -> a file Wireshark opens
=============  ==========================================================================

The edges are folders named for what they touch:

=============  ==========================================================================
wire/          the network: the only door to scapy and raw sockets
host/          this machine's own answers: routes, counters
store/         the database: the only door to SQLAlchemy
agent/         the process in each subnet
controller/    the process in the middle
surfaces/      what people and machines read: handed values, they fetch nothing
lab/           the real kernel in throw-away, closed network namespaces
cli/           arguments -> one call -> print
settings       how this process runs: flags, environment, defaults; where each value came from
spelling       how a setting's value is written, checked and shown again
ondisk         the files an operator names: ``targets.yaml`` and secrets
hostnames      targets declared by name, each resolved once
logs           one line an event, on stderr
errors         the few exceptions raised, each with the sentence the operator reads; how it quotes words from outside
=============  ==========================================================================

A file imports only what stands below it; ``pyproject.toml`` holds the contract import-linter keeps.
"""

__version__ = "0.1.0"
