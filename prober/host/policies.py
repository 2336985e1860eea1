"""Which policy rule (``ip rule``) led a lookup to its table, or refused it by itself.

The rules are asked in the order of their priority, and the first whose selectors fit and whose table has a route
decides (fib_rules_lookup, net/core/fib_rules.c). The kernel's answer names the table; the rule is found again here.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Iterator

from prober.host import rtnetlink
from prober.host.rtnetlink import Message
from prober.report import Question

_TO_TABLE = 1
_REFUSALS = {6: ("blackhole", errno.EINVAL), 7: ("unreachable", errno.ENETUNREACH), 8: ("prohibit", errno.EACCES)}
"""FR_ACT_* of linux/fib_rules.h, in words, and the errno with which a lookup fails (fib4_rule_action)."""
_ORDINARY = (0, 32766, 32767)
"""The priorities of the three rules that every host has: local, main, default."""


def leading_to(table: int, question: Question) -> str:
    """The rule by which `question` came to `table`, as ``ip rule`` writes it; '' for one that every host has."""
    for rule in _fitting(question):
        if rule["action"] == _TO_TABLE and _table(rule) == table:
            return "" if _priority(rule) in _ORDINARY else _text(rule, f"lookup {table}")
    return ""


def refusing(number: int, question: Question) -> tuple[str, str]:
    """``(type, rule)``: the rule that itself makes a lookup fail with this errno; ``("", "")`` where none does."""
    for rule in _fitting(question):
        name, means = _REFUSALS.get(rule["action"], ("", 0))
        if means == number:
            return name, _text(rule, name)
    return "", ""


def _fitting(question: Question) -> Iterator[Message]:
    """The rules that look at nothing but what a question holds, and whose selectors fit it, in order."""
    family = socket.AF_INET6 if ":" in question.dst else socket.AF_INET
    for rule in sorted(rtnetlink.rules(family), key=_priority):
        if not rule.get_attr("FRA_FWMARK") and _fits(rule, question):
            yield rule


def _fits(rule: Message, question: Question) -> bool:
    for attribute, length, value in (("FRA_SRC", "src_len", question.src), ("FRA_DST", "dst_len", question.dst)):
        network = rule.get_attr(attribute)
        if network and not (value and ipaddress.ip_address(value) in ipaddress.ip_network(f"{network}/{rule[length]}")):
            return False
    return rule.get_attr("FRA_IIFNAME") in (None, question.iif or "lo")


def _text(rule: Message, action: str) -> str:
    selectors = [f"from {_network(rule, 'FRA_SRC', 'src_len') or 'all'}"]
    if to := _network(rule, "FRA_DST", "dst_len"):
        selectors.append(f"to {to}")
    if iif := rule.get_attr("FRA_IIFNAME"):
        selectors.append(f"iif {iif}")
    return f"rule {_priority(rule)}: {' '.join(selectors)} {action}"


def _network(rule: Message, attribute: str, length: str) -> str:
    address = rule.get_attr(attribute)
    return f"{address}/{rule[length]}" if address else ""


def _priority(rule: Message) -> int:
    return int(rule.get_attr("FRA_PRIORITY") or 0)


def _table(rule: Message) -> int:
    return int(rule.get_attr("FRA_TABLE") or rule["table"])
