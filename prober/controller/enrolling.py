"""An agent's token against its key: what is asked, what the token is for, and each reason why not in a sentence."""

from __future__ import annotations

from prober.controller.access import Unknown, known
from prober.enrolment import Enrolment
from prober.errors import Refused
from prober.store import keys
from prober.store.engine import Store
from prober.store.keys import Key, Spent
from prober.store.tokens import Token

_WHY = {
    Spent.REVOKED: "this token was revoked",
    Spent.EXPIRED: "this token has expired: it is good for an hour",
    Spent.USED: "this token was used before, for another key: it is good once. If {agent} did not use it somebody else "
    "has, and is revoked with: prober token revoke {id}",
}


def enrol(store: Store, secret: str, asked: Enrolment, zone: str | None, now_ns: int = 0) -> Key:
    """Takes the key that is asked for. `secret`: the whole token; `zone`: where the agent is declared, None: nowhere.

    Raises Unknown for a token that is no good and never will be again, Refused for one that does not fit what is
    declared, StoreUnavailable.
    """
    token = _own(known(store, secret), asked)
    if zone is None:  # said to who has a token for it alone
        raise Refused(f"agent {asked.agent} is not in targets.yaml: declare it there")
    if token.zone != zone:
        raise Refused(
            f"this token is for {asked.agent} in zone {token.zone}, and targets.yaml declares it in zone {zone}: "
            f"correct the one, or make another: {_command(asked.agent, zone)}"
        )
    came = keys.enrol(store, token, asked, now_ns)
    if isinstance(came, Spent):
        why = _WHY[came].format(agent=asked.agent, id=token.id)
        raise Unknown(f"{why}; make another: {_command(asked.agent, zone)}")
    return came


def _own(token: Token | None, asked: Enrolment) -> Token:
    """This agent's token."""
    command = _command(asked.agent, "ZONE")
    if token is None:
        raise Unknown(f"this token is not known here; make one with: {command}")
    if token.role != "agent":
        raise Unknown(f"this is a token for the role {token.role}; an agent enrols with one of its own: {command}")
    if token.agent != asked.agent:
        raise Unknown(f"this is {token.agent}'s token, not {asked.agent}'s; make one with: {command}")
    return token


def _command(agent: str, zone: str) -> str:
    return f"prober token create --agent {agent} --zone {zone}"
