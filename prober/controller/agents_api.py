"""What agents call: a key in; a report in, orders out; and what they hand in for others, receipts out. All msgpack."""

from __future__ import annotations

import asyncio

import msgspec
import structlog
from fastapi import APIRouter, HTTPException, Request, Response
from starlette.requests import ClientDisconnect

from prober import enrolment, relay, signature
from prober.controller import enrolling
from prober.controller.access import Unknown
from prober.controller.centre import Centre
from prober.controller.doors import bearer, caller, centre_of
from prober.controller.errands import Errand
from prober.controller.intake import LIMIT
from prober.controller.stranger import NoReport
from prober.enrolment import Enrolment
from prober.errors import Refused
from prober.relay import Bundle
from prober.report import LANE, PLAN, Question, encode, report_every

SLOWEST = 20.0
"""Seconds that a body may take to come: whoever drips it holds room that others need."""

_log = structlog.get_logger("prober.controller")

router = APIRouter(include_in_schema=False)


@router.post("/agent/v1/enrol")
async def enrol(request: Request) -> Response:
    """Takes an agent's public key for a token that is good once."""
    centre, token = centre_of(request), bearer(request)
    if token is None:
        raise HTTPException(401, "an agent enrols with `Authorization: Bearer TOKEN`")
    asked = _enrolment(await read_body(request, enrolment.MOST))
    zone = _zone(centre, asked.agent)
    try:
        key = await asyncio.to_thread(enrolling.enrol, centre.store, token, asked, zone)
    except (Refused, Unknown) as error:
        _log.error("an agent is not enrolled", agent=asked.agent, why=str(error))
        raise HTTPException(401 if isinstance(error, Unknown) else 403, str(error)) from None
    centre.signers.learn(key)
    _log.info(
        "an agent is enrolled", agent=key.agent, zone=zone, token=key.token, key=signature.fingerprint(key.public)
    )
    return Response(status_code=204)


@router.post("/agent/v1/reports")
async def report(request: Request) -> Response:
    """Answers when the report is on disk."""
    centre, (agent, digest) = centre_of(request), await _signer(request)
    number = await _number(centre, agent)
    live = request.headers.get(LANE, "live") == "live"
    with centre.intake.admitted(agent, told_size(request, LIMIT), live):
        body = _whole(await read_body(request, LIMIT), digest)
        taken = await centre.intake.take(body, agent, number, int(centre.wall() * 1e9))
        work = await centre.errands.fetch(*taken) if taken.report.live else Errand()
    orders = centre.dispatch.orders(taken.report, work, request.headers.get(PLAN, ""))
    return Response(encode(orders), media_type="application/msgpack")


@router.post("/agent/v1/relayed")
async def relayed(request: Request) -> Response:
    """A peer hands in another agent's report: the same intake, and a receipt that none but this agent believes.

    Orders do not go this way: they hold the fleet's keys, and the peer hands on what it can read. Questions do.
    """
    centre, (peer, digest) = centre_of(request), await _signer(request)
    with centre.intake.admitted(f"{peer}, for others", told_size(request, relay.MOST), True):
        bundle = _bundle(_whole(await read_body(request, relay.MOST), digest))
        key = await asyncio.to_thread(_key, centre, bundle, peer)
        number = await _number(centre, bundle.agent)
        refused, questions = "", list[Question]()
        try:
            taken = await centre.intake.take(bundle.body, bundle.agent, number, int(centre.wall() * 1e9))
            questions = centre.desk.joiner.questions(bundle.agent) if taken.report.live else questions
        except NoReport as error:
            refused = str(error)[:500]
    every, version = report_every(len(centre.desk.targets.agents)), centre.dispatch.version(bundle.agent)
    receipt = relay.acknowledge(bundle, key, every, version, refused, questions)
    return Response(relay.encode(receipt), media_type="application/msgpack")


def _enrolment(body: bytes) -> Enrolment:
    try:
        return enrolment.decode(body)
    except (msgspec.MsgspecError, ValueError) as error:
        raise HTTPException(400, f"this is no enrolment: {error}") from None


def _zone(centre: Centre, agent: str) -> str | None:
    """Where this agent is declared; None where it is not."""
    try:
        return centre.desk.targets.agent(agent).zone
    except KeyError:
        return None


async def _signer(request: Request) -> tuple[str, str]:
    """The agent that has signed this request, and the digest that its body must have; the body comes as it is."""
    headers, centre = request.headers, centre_of(request)
    given, made = (", ".join(headers.getlist(name)) for name in (signature.INPUT, signature.SIGNATURE))
    if not (given or made):
        raise await _unsigned(request)
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "a report comes as it is: no Content-Encoding is taken")
    try:
        signed = signature.read(given, made)
    except Refused as error:
        raise HTTPException(401, str(error)) from None
    digest = headers.get(signature.DIGEST, "")
    await centre.signers.check(signed, request.scope["path"], digest, centre.wall())
    return signed.agent, digest


async def _unsigned(request: Request) -> HTTPException:
    """Why who has not signed this reports nothing."""
    if (await asyncio.to_thread(caller, request)).role == "agent":
        said = (
            "an agent's token enrols it, and from then on it signs: this agent is older than its controller, upgrade it"
        )
        return HTTPException(401, said)
    return HTTPException(
        403, "only an agent reports: make a token with `prober token create --agent NAME --zone ZONE`, and start the "
        "agent with --token-file",
    )  # fmt: skip


def _whole(body: bytes, digest: str) -> bytes:
    """The body, where it is what was signed: what came otherwise can be sent again."""
    if signature.digest(body) != digest:
        raise HTTPException(401, f"the body is not what was signed: {signature.DIGEST} is another one's")
    return body


async def _number(centre: Centre, agent: str) -> int:
    """In a thread where it has to be looked up: a database may hang."""
    try:
        if not centre.dispatch.knows(agent):
            return await asyncio.to_thread(centre.dispatch.number, agent)
        return centre.dispatch.number(agent)
    except Refused as error:
        raise HTTPException(403, str(error)) from None


def _bundle(body: bytes) -> Bundle:
    try:
        bundle = relay.decode_bundle(body)
    except (msgspec.MsgspecError, ValueError) as error:
        raise HTTPException(400, f"this is no bundle: {error}") from None
    if len(bundle.body) > LIMIT:
        raise HTTPException(413, f"a report may have at most {LIMIT} bytes")
    return bundle


def _key(centre: Centre, bundle: Bundle, peer: str) -> bytes:
    key = centre.fleet.detours.key(bundle, peer, centre.signers.may_report)
    if key is None:
        raise HTTPException(403, f"{bundle.agent[:80]!r} has not signed this report, or may not report any more")
    return key


def told_size(request: Request, limit: int) -> int:
    """The bytes that a body says it has, `limit` where it says nothing; refused where it says more, or nonsense."""
    told = request.headers.get("content-length", str(limit) if "transfer-encoding" in request.headers else "0")
    if not (told.isascii() and told.isdigit()) or len(told) > 18 or int(told) > limit:
        raise HTTPException(413, f"a body may have at most {limit} bytes")
    return int(told)


async def read_body(request: Request, limit: int) -> bytes:
    """A body of at most `limit` bytes, refused before it is read whole, and one that takes `SLOWEST` seconds."""
    told_size(request, limit)
    body = bytearray()
    try:
        async with asyncio.timeout(SLOWEST):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise HTTPException(413, f"a body may have at most {limit} bytes")
    except TimeoutError:
        raise HTTPException(408, f"the body did not come within {SLOWEST:.0f} s") from None
    except ClientDisconnect:
        raise HTTPException(400, "the connection broke before the body was whole") from None
    return bytes(body)
