"""What a failing cell leads to: tried where policy and room allow it, else asked again, told to its cell."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from prober.controller.bench import Result
from prober.controller.looking import Looking
from prober.flip import Debounce
from prober.handshake import State
from prober.joiner import Joiner
from prober.matrix import Matrix
from prober.observation import Observation
from prober.ondisk import read_targets
from prober.plan import pairs
from prober.report import CONNECT
from prober.verdict import Label
from tests.controller.centres import TARGETS, verdict
from tests.stories import THERE, story

PAIR = ("firewall", "ingress")


def made(**policy: object) -> Looking:
    targets = read_targets(TARGETS)
    targets = dataclasses.replace(targets, policy=dataclasses.replace(targets.policy, **policy))
    matrix = Matrix((one.source, one.target, one.every) for one in pairs(targets))
    return Looking(targets, matrix, Joiner(targets), Debounce())


def silent(**given: object) -> Observation:
    o = story(THERE, State.TIMED_OUT)
    return msgspec.structs.replace(o, source=PAIR[0], target=PAIR[1], run="", **given)


def test_a_cell_that_fails_is_tried_and_so_is_the_other_way_round() -> None:
    looking = made()
    looking.look_into(silent(), 100.0)
    assert set(looking.bench.open) == {PAIR, ("node1", "firewall")}


@pytest.mark.parametrize("policy", [{"experiments": False}, {"syns_per_second": 0.01}])
def test_policy_can_forbid_it(policy: dict[str, object]) -> None:
    looking = made(**policy)
    looking.look_into(silent(), 100.0)
    assert looking.bench.open == {} and looking.splitting.idle()


def test_where_there_is_no_room_it_is_asked_again_until_its_failure_is_told() -> None:
    for told, asked in ((Label.HEALTHY, True), (Label.INGRESS_DROP, False)):
        looking = made()
        looking.bench.begun.extend([100.0] * 30)
        looking.debounce.told[PAIR] = told
        looking.look_into(silent(), 100.0)
        assert looking.bench.open == {} and looking.splitting.idle() != asked


def test_a_run_on_demand_and_an_undeclared_pair_lead_to_nothing() -> None:
    looking = made()
    looking.look_into(msgspec.structs.replace(silent(), run="r1"), 100.0)
    looking.look_into(msgspec.structs.replace(silent(), target="nobody"), 100.0)
    assert looking.bench.open == {} and looking.splitting.idle()


def test_a_deaf_kernel_is_news_once_and_its_cell_says_so() -> None:
    looking = made()
    dialled = msgspec.structs.replace(story(THERE, State.UNHEARD), source=PAIR[0], target=PAIR[1], run=CONNECT)
    assert looking.dialled(dialled).label == Label.LOCAL and looking.changed
    assert looking.dialled(dialled) is None and looking.matrix.cells[PAIR].deaf is not None
    heard = msgspec.structs.replace(dialled, asked=msgspec.structs.replace(dialled.asked, state=State.ANSWERED))
    assert looking.dialled(heard) is None and looking.matrix.cells[PAIR].deaf is None


def test_what_came_of_it_is_kept_with_its_cell() -> None:
    looking = made()
    assert looking.learn(Result(PAIR, None, "16 of 16 lost", True)) is None
    assert looking.matrix.cells[PAIR].tried == {"many flows": "16 of 16 lost"}
    assert looking.found == {PAIR} and looking.changed
    assert looking.learn(Result(("firewall", "nobody"), None, "nothing", True)) is None and looking.found == {PAIR}


def test_the_cells_beside_one_share_a_side_with_it_and_are_fresh() -> None:
    looking = made()
    for pair, at in ((("firewall", "pod2"), 99.0), (("lb", "ingress"), 99.0), (("lb", "pod2"), 99.0),
                     (("vm", "ingress"), 10.0)):  # fmt: skip
        looking.matrix.take(*pair, 1, at, verdict(*pair, "healthy"), 0.3)
    assert looking.beside(PAIR, 100.0) == {("firewall", "pod2"): Label.HEALTHY, ("lb", "ingress"): Label.HEALTHY}
