"""The doors of chat as OpenAPI tells of them: what the chats post, and what they get."""

from __future__ import annotations

from typing import Any

_FORM = {"text": "run firewall ingress", "user_id": "U024BE7LH", "user_name": "ada", "team_id": "T0001",
         "channel_id": "C2147483705", "command": "/prober",
         "response_url": "https://hooks.slack.com/commands/T0001/1234/5678"}  # fmt: skip
_ACKNOWLEDGED = {"response_type": "ephemeral", "text": "Running firewall → ingress…"}
_MESSAGE = {
    "type": "object", "required": ["response_type", "text"], "additionalProperties": True,
    "properties": {"response_type": {"enum": ["ephemeral", "in_channel"]}, "text": {"type": "string"}},
}  # fmt: skip
_MENTION = {
    "type": "event_callback", "team_id": "T0001", "event_id": "Ev0PV52K25", "event_time": 1767268800,
    "event": {"type": "app_mention", "user": "U024BE7LH", "text": "<@U0LAN0Z89> run firewall ingress",
              "ts": "1767268800.000012", "channel": "C2147483705"},
}  # fmt: skip
_EVENT = {
    "type": "object", "required": ["type"], "additionalProperties": True,
    "properties": {"type": {"type": "string"}, "challenge": {"type": "string"}},
}  # fmt: skip


def _takes(media_type: str, schema: dict[str, Any], example: dict[str, Any]) -> dict[str, Any]:
    content = {media_type: {"schema": schema, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


COMMAND: dict[str, Any] = {
    "openapi_extra": _takes(
        "application/x-www-form-urlencoded",
        {"type": "object", "properties": {name: {"type": "string"} for name in _FORM}}, _FORM,
    ),
    "responses": {
        200: {
            "description": "the acknowledgement of a run, or the answer",
            "content": {"application/json": {"schema": _MESSAGE, "example": _ACKNOWLEDGED}},
        }
    },
}  # fmt: skip
EVENT: dict[str, Any] = {
    "openapi_extra": _takes("application/json", _EVENT, _MENTION),
    "responses": {
        200: {
            "description": "taken; of url_verification, the challenge",
            "content": {"text/plain": {"schema": {"type": "string"}, "example": "3eZbrw1aBm2rZgRN"}},
        }
    },
}  # fmt: skip
