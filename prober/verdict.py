"""The words: what prober may say of a handshake.

`Cause` holds the whole table of causes; a rule in `classify` picks one, the sentence and the next step are said
here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class Label(StrEnum):
    """What happened to the handshake."""

    HEALTHY = "healthy"
    DETOUR = "detour"
    INGRESS_DROP = "ingress-drop"
    RETURN_PATH_MISROUTE = "return-path-misroute"
    RETURN_PATH_LOSS = "return-path-loss"
    TARGET = "target"
    LOCAL = "local"
    INTERMITTENT = "intermittent"
    UNKNOWN = "unknown"

    @property
    def passes(self) -> bool:
        """True where traffic gets through: `healthy` and its warning, `detour`."""
        return self in (Label.HEALTHY, Label.DETOUR)

    @property
    def direction(self) -> str:
        """Where it puts the fault: forward, return, target, local; `passes` and `unknown` put it nowhere."""
        return DIRECTIONS[self]


DIRECTIONS: dict[Label, str] = {
    Label.HEALTHY: "passes", Label.DETOUR: "passes", Label.INGRESS_DROP: "forward",
    Label.RETURN_PATH_MISROUTE: "return", Label.RETURN_PATH_LOSS: "return", Label.TARGET: "target",
    Label.LOCAL: "local", Label.INTERMITTENT: "either", Label.UNKNOWN: "unknown",
}  # fmt: skip
"""Which way each label blames: two labels of one direction never accuse the wrong side."""


class Confidence(StrEnum):
    """How sure: packets at both ends and a culprit, both ends, one end only, or several stories fit."""

    PROVEN = "proven"
    LIKELY = "likely"
    INFERRED = "inferred"
    AMBIGUOUS = "ambiguous"


class Cause(StrEnum):
    """The ids of the causes: L local, F forward, T target, R return, B both."""

    L1 = "L1"
    L2 = "L2"
    L3 = "L3"
    L4 = "L4"
    F1 = "F1"
    F2 = "F2"
    F3 = "F3"
    F4 = "F4"
    F5 = "F5"
    F6 = "F6"
    F7 = "F7"
    F8 = "F8"
    F9 = "F9"
    F10 = "F10"
    T1 = "T1"
    T2 = "T2"
    T3 = "T3"
    T4 = "T4"
    T5 = "T5"
    T6 = "T6"
    T7 = "T7"
    T8 = "T8"
    R1A = "R1a"
    R1B = "R1b"
    R1B_SILENT = "R1b'"
    R1C = "R1c"
    R1D = "R1d"
    R1E = "R1e"
    R2 = "R2"
    R3 = "R3"
    R4 = "R4"
    R5 = "R5"
    R5B = "R5b"
    R6 = "R6"
    R7 = "R7"
    R8 = "R8"
    R9 = "R9"
    B1 = "B1"

    @property
    def meaning(self) -> str:
        """The cause in a few words."""
        return TITLES[self]


TITLES: dict[Cause, str] = {
    Cause.L1: "the prober's own host has no route to the target",
    Cause.L2: "the prober's own firewall refuses to send",
    Cause.L3: "the prober's next hop does not answer ARP",
    Cause.L4: "the prober's own host drops the answer",
    Cause.F1: "a filter drops the SYN on its way",
    Cause.F2: "a filter rejects the SYN on its way",
    Cause.F3: "a router on the way has no route to the target",
    Cause.F4: "a router on the way refuses the route to the target",
    Cause.F5: "one leg of an equal-cost path to the target is dead",
    Cause.F6: "the target's node does not answer its last router",
    Cause.F7: "the node is there, the pod is not",
    Cause.F8: "the load balancer has no backend to hand the SYN to",
    Cause.F9: "the SYN is routed to the wrong node",
    Cause.F10: "an egress policy on the prober's node drops the SYN",
    Cause.T1: "nothing listens on the target's port",
    Cause.T2: "a rule on the target's host answers with an RST",
    Cause.T3: "the target's accept queue is full",
    Cause.T4: "the target host's own firewall drops the SYN",
    Cause.T5: "a policy on the target's node drops the SYN before the pod",
    Cause.T6: "strict rp_filter drops the SYN because the way back leaves by another interface",
    Cause.T7: "the target's connection tracking table is full",
    Cause.T8: "the target's own socket has no route back",
    Cause.R1A: "the responder's own pod block covers the prober's address",
    Cause.R1B: "another node's pod block covers the prober's address",
    Cause.R1B_SILENT: "another node's pod block covers the prober's address, and that node drops in silence",
    Cause.R1C: "another pod really owns the prober's address",
    Cause.R1D: "the reply takes a detour over another node",
    Cause.R1E: "a local range on the responder's node covers the prober's address",
    Cause.R2: "the responder's node has no route back",
    Cause.R3: "a stateful firewall sees only half of the conversation",
    Cause.R4: "the reply comes back from another address",
    Cause.R5: "a filter drops the reply on its way back",
    Cause.R5B: "a filter drops replies to some source ports",
    Cause.R6: "the responder's node refuses the route back (blackhole, unreachable or prohibit)",
    Cause.R7: "the reply goes round in a loop",
    Cause.R8: "one leg of an equal-cost path back is dead",
    Cause.R9: "two hosts own the prober's address",
    Cause.B1: "packets are lost at random",
}


CAUSES = [cause.value for cause in Cause]
"""The causes' ids, in the table's order."""


class Culprit(msgspec.Struct, frozen=True):
    """What to go and look at. ``kind``: route, node, hop, rule or host; ``node`` where it is; ``what`` it says."""

    kind: str
    node: str
    what: str

    def __str__(self) -> str:
        return f"{self.node}: {self.what}" if self.node else self.what


class Verdict(msgspec.Struct, frozen=True):
    """What is said of one probe. ``evidence`` are the names of the places and facts that decided, in order."""

    label: Label
    confidence: Confidence
    sentence: str
    cause: Cause | None = None
    culprit: Culprit | None = None
    missing: tuple[str, ...] = ()
    next_step: str = ""
    evidence: tuple[str, ...] = ()
    revision: int = 0


def revised(before: Verdict, now: Verdict) -> Verdict:
    """`now`, said of a probe of which `before` was said: its evidence tells what was said first."""
    words = (before.label, before.cause, before.confidence)
    told = f"revised: before more was seen it was {' '.join(word for word in words if word)}"
    return msgspec.structs.replace(now, revision=before.revision + 1, evidence=(*now.evidence, told))


def same(before: Verdict, now: Verdict) -> bool:
    """Whether `now` says anything that `before`, maybe a revision, does not."""
    bare = tuple(one for one in before.evidence if not one.startswith("revised: "))
    return now == msgspec.structs.replace(before, revision=0, evidence=bare)


LABELS: dict[Label, str] = {
    Label.HEALTHY: "the handshake completed, from the right address",
    Label.DETOUR: "it completes, but the reply took another way than it used to: a warning before an outage",
    Label.INGRESS_DROP: "the SYN was lost on the way to the target, the target's host firewall included",
    Label.RETURN_PATH_MISROUTE: "the reply left and went elsewhere; only with positive evidence",
    Label.RETURN_PATH_LOSS: "the reply left the right way and never arrived, or nothing says where it went",
    Label.TARGET: "the target got the SYN and refused or ignored it",
    Label.LOCAL: "the prober's own host never sent it, or dropped the answer",
    Label.INTERMITTENT: "some flows or attempts of the cell pass and some do not",
    Label.UNKNOWN: "what was watched does not say; the verdict says what was missing",
}
"""Every label and what it means."""

CONFIDENCES: dict[Confidence, str] = {
    Confidence.PROVEN: "packets of this probe at both ends and, where it failed, a culprit",
    Confidence.LIKELY: "packets at one end and the other end's word that it captured throughout, or no culprit",
    Confidence.INFERRED: "one end only, or a place that nobody watches",
    Confidence.AMBIGUOUS: "several stories fit",
}
"""Every degree of confidence, the surest first. Hiding evidence never makes a verdict surer."""

DECIDES: dict[Cause, str] = {
    Cause.L1: "the send fails: ENETUNREACH, EHOSTUNREACH, EINVAL or EACCES (no route, or one that refuses)",
    Cause.L2: "the send fails: EPERM",
    Cause.L3: "sent, and never seen leaving the prober's watched NIC; its next hop's neighbour entry failed",
    Cause.L4: "the tap saw the SYN-ACK of a plain connect() arrive, and it was never connected",
    Cause.F1: "seen leaving the prober; the responder captured throughout and saw nothing",
    Cause.F2: "ICMP 3/2, 3/3, 3/9, 3/10 or 3/13 (IPv6 1/1, 1/4 to 1/6), or an RST while the responder saw no SYN",
    Cause.F3: "ICMP 3/0 (IPv6 1/0) to the prober or to the load balancer, or a router's own agent has no route",
    Cause.F4: "ICMP 3/1 (IPv6 1/3) at once, or the route of an agent on the way that had the SYN refuses it",
    Cause.F6: "ICMP 3/1 (IPv6 1/3) after the neighbour's timeout, about 3 s",
    Cause.F7: "at the node's NIC and at no pod, and the node sends it back out, or has no way to that pod, or says so",
    Cause.F8: "the load balancer saw the SYN, and every backend's agent saw none; `target` where it answers itself",
    Cause.F9: "a witness off the way has the SYN, and the responder saw none",
    Cause.F10: "the prober is a pod; its own node had the SYN, let none out, and its route on is there",
    Cause.T1: "the SYN is at the target, an RST leaves it, and nothing listens there as far as anybody says",
    Cause.T2: "an RST leaves the target though something listens there, or its node answers and no pod saw the SYN",
    Cause.T3: "no answer left the host, and ListenOverflows moved",
    Cause.T4: "the SYN is at the target, its TCP did not take it, nothing left, and its route back was there meanwhile",
    Cause.T5: "at the node's NIC and at no pod, whose own route is there; or the node's ICMP says that a rule rejects",
    Cause.T6: "at the NIC and no further, IPReversePathFilter moved, and the route back leaves by another interface",
    Cause.T7: "at the NIC and no further, and nf_conntrack_count has reached nf_conntrack_max",
    Cause.T8: "no answer left the target's own namespace, which has no route back, or whose OutNoRoutes moved",
    Cause.R1A: "the reply leaves the pod and not the node, whose route back is a device of its own",
    Cause.R1B: "a witness has the reply, and a route leads there; the route alone, to another node or with its late"
    " ICMP 3/1; or a tunnel to another node than when all was well",
    Cause.R1B_SILENT: "the same, and the witness's own route is a blackhole",
    Cause.R1C: "a pod has the reply, or the responder hears an unsealed RST and its reply took a new way",
    Cause.R1D: "a witness has the reply that it never carried before, and passes it on",
    Cause.R1E: "the reply leaves the pod and not the node, whose route back is a device no pod lives behind; or the SYN"
    " is martian: the node owns the prober's address",
    Cause.R2: "the responder's node has no route back, or a router says so with ICMP 3/0 (IPv6 1/0)",
    Cause.R3: "the reply left to another neighbour than the SYN came from, new since it was healthy, and was lost",
    Cause.R4: "the right acknowledgement and ports, another source address",
    Cause.R5: "seen leaving the responder; the prober captured throughout and saw nothing; ICMP to it, or a near RST",
    Cause.R6: "the responder's route back, or a policy rule there, is a blackhole, unreachable, prohibit or throw",
    Cause.R7: "a witness meets the reply again and again, with ever lower TTLs; or ICMP 11/0 (IPv6 3/0) quoting it",
    Cause.R9: "the responder hears an unsealed RST in the prober's name, and its reply left as it always did",
    Cause.F5: "many flows: the SYNs of the same source ports are always lost and others never, beyond chance",
    Cause.R5B: "many flows: the answers to one range of source ports are always lost and others never",
    Cause.R8: "many flows: the answers to the same source ports, or copies of them, are always lost and others never",
    Cause.B1: "many flows: some attempts of most source ports are lost, each direction with its own rate",
}
"""What decides for each cause that a rule can name today. The others have a name and no rule yet."""


def document(measured: Iterable[str] = ()) -> str:
    """docs/verdicts.md: the words above, as tables; `measured` are lines about the last lab run, for its end."""
    named = [cause for cause in Cause if cause not in DECIDES]
    return "\n".join(
        [
            "# What prober says of a handshake", "",
            "A verdict has a label, a confidence, a cause, a culprit (what to go and look at), and the sightings that",
            "decided. Rules are asked from the prober's own side outwards; the first that speaks wins. *Not watched*",
            "is never taken for *not seen*, and a silent agent is evidence of nothing.", "",
            "## Labels", "", *_table(("label", "means"), ((f"`{k}`", v) for k, v in LABELS.items())), "",
            "## Confidence", "",
            *_table(("confidence", "means"), ((f"`{k}`", v) for k, v in CONFIDENCES.items())), "",
            "## Causes", "", "F forward, T target, R return, L local.", "",
            *_table(("id", "cause", "what decides"), ((k, k.meaning, v) for k, v in DECIDES.items())), "",
            "## Named, and without a rule yet", "",
            "Such a fault is still judged, by what was seen: its direction is told, its cause is not.", "",
            *_table(("id", "cause"), ((cause, cause.meaning) for cause in named)), "",
            *measured,
        ]
    )  # fmt: skip


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *rows)]
