"""The types of fields of requests: what they accept, and what the contract says of it.

A schema says as much as it can. What it cannot say (bytes of JSON, texts that are blank in Unicode's sense, names in
other forms of their letters) stands in a description; tests/contract/allowances.py lists it.
"""

import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr, WithJsonSchema
from pydantic_core import from_json

from ssechat.chat.feeds import MAX_PUBLISHERS
from ssechat.chat.groups import MAX_NAME, MAX_TOPIC
from ssechat.chat.messages import MAX_DATA, MAX_MENTIONS
from ssechat.events import frames
from ssechat.events.kinds import KINDS, MESSAGE
from ssechat.identity.directory import SHORTEST_PREFIX
from ssechat.identity.display_names import MAX_CHOSEN, chosen_name
from ssechat.identity.watch_lists import MAX_NAMES
from ssechat.ids import LONGEST_USER, UserId, user_id
from ssechat.logs.feeds import LARGEST
from ssechat.texts.characters import is_blank
from ssechat.texts.image_urls import MAX_LENGTH as MAX_AVATAR_URL
from ssechat.texts.image_urls import check_image_url
from ssechat.texts.printable import one_line

PRINTABLE_ASCII = r"^[\x20-\x7e]*$"

LONGEST_PASSWORD = 1024
"""Upper bound of a password's characters, after normalisation."""

MAX_PARTS = 4
"""Upper bound of the characters that one character decomposes into (UAX #15)."""

MAX_IDS = 100
"""Users who are asked for by name at a time."""

TOO_LARGE = 2**53
"""The first whole number that not every JSON parser keeps (RFC 8259 §6)."""


def _user_id(text: str) -> UserId:
    named = user_id(text)
    if named is None:
        raise ValueError("a name has 1-128 of A-Z a-z 0-9 _ . @ | + ~ - and begins with a letter, a digit or _")
    return named


def _prepared(password: SecretStr) -> SecretStr:
    """Normalises a password to NFC with plain spaces (RFC 8265 §4.2.1, OpaqueString), so that every keyboard enters the
    same one."""
    text = password.get_secret_value()
    if text.isascii():
        return password
    spaced = "".join(" " if unicodedata.category(each) == "Zs" else each for each in text)
    return SecretStr(unicodedata.normalize("NFC", spaced))


def _text(text: str) -> str:
    if is_blank(text):
        raise ValueError("this text is blank; write something")
    return text


def _line(text: str, limit: int) -> str:
    if one_line(text) != text:
        raise ValueError("give one line, without control characters")
    if (size := len(frames.encode(text)) - 2) > limit:  # without the quotation marks
        raise ValueError(f"give {limit} bytes at most (in JSON, as UTF-8); this has {size}")
    return text


def _mentions(names: list[str]) -> list[UserId]:
    if len(names) > MAX_MENTIONS:
        raise ValueError(f"mention {MAX_MENTIONS} people at most")
    return list(dict.fromkeys(map(_user_id, names)))


def _watch(names: list[str]) -> list[UserId]:
    if len(names) > MAX_NAMES:
        raise ValueError(f"watch {MAX_NAMES} people at most: those whom you show just now")
    return list(dict.fromkeys(map(_user_id, names)))


def _data(data: dict[str, Any]) -> dict[str, Any]:
    encoded = frames.encode(data)
    try:
        from_json(encoded, allow_inf_nan=False)
    except ValueError:
        raise ValueError("give finite numbers only: JSON has no others") from None
    if len(encoded) > MAX_DATA:
        raise ValueError(f"give {MAX_DATA / 1024:g} KiB at most, as JSON; this has {len(encoded)} bytes")
    return data


def _feed_data(data: Any) -> Any:
    encoded = frames.encode(data)
    try:
        from_json(encoded, allow_inf_nan=False)
    except ValueError:
        raise ValueError("give finite numbers only: JSON has no others") from None
    if len(encoded) > LARGEST:
        raise ValueError(f"give {LARGEST / 1024:g} KiB at most, as JSON; this has {len(encoded)} bytes")
    return data


def _event_name(name: str) -> str:
    if name in RESERVED:
        raise ValueError(f"{name} is an event of the server's own; choose another name")
    return name


def _publishers(names: list[str]) -> list[UserId]:
    if len(names) > MAX_PUBLISHERS:
        raise ValueError(f"name {MAX_PUBLISHERS} publishers at most")
    return list(dict.fromkeys(map(_user_id, names)))


def _avatar_url(url: str) -> str:
    check_image_url(url)
    return url


def _user_prefix(text: str) -> UserId:
    named = user_id(text)
    if named is None or len(named) < SHORTEST_PREFIX:
        raise ValueError(f"give {SHORTEST_PREFIX} or more characters with which a name begins")
    return named


def _user_ids(text: str) -> list[UserId]:
    names = text.split(",")
    if len(names) > MAX_IDS:
        raise ValueError(f"give {MAX_IDS} names at most")
    return list(dict.fromkeys(map(_user_id, names)))


def _shown(**keywords: Any) -> Any:
    """Says in the JSON Schema what a validator checks."""
    return Field(json_schema_extra=keywords)


RESERVED = sorted(frames.OF_A_STREAM | {kind.name for kind in KINDS} - {MESSAGE.name})
"""Names that the events of feeds do not have. Without a name an event is a `message`, as `EventSource` has it."""

EVENT_NAME = r"^[a-z][a-z0-9._-]{0,63}$"
NOT_BLANK = r"\S"
ONE_LINE = r"^[^\x00-\x1f\x7f]*$"
HTTPS = "^https://[^@#]+$"
WHOLE_NUMBER = "^[1-9][0-9]{0,15}$"
NAMED = {
    "type": "string",
    "minLength": 1,
    "maxLength": LONGEST_USER,
    "pattern": r"^[A-Za-z0-9_][A-Za-z0-9_.@|+~-]*$",
}
"""A user's name. Other forms of the same letters (Unicode's NFKC) are accepted, too."""

UserPrefix = Annotated[str, AfterValidator(_user_prefix), _shown(**NAMED | {"minLength": SHORTEST_PREFIX})]
UserIds = Annotated[
    Any,
    Field(max_length=MAX_IDS * (LONGEST_USER + 1)),
    AfterValidator(_user_ids),
    WithJsonSchema({"type": "string", "minLength": 1, "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.@|+~,-]*$"}),
]
UserName = Annotated[str, AfterValidator(_user_id), _shown(**NAMED)]
Password = Annotated[
    SecretStr,
    Field(max_length=MAX_PARTS * LONGEST_PASSWORD),  # bounds the text that is normalised
    AfterValidator(_prepared),
    Field(max_length=LONGEST_PASSWORD),
]
Text = Annotated[str, AfterValidator(_text), _shown(minLength=1, pattern=NOT_BLANK)]
ClientMsgId = Annotated[str, Field(min_length=1, max_length=128, pattern=PRINTABLE_ASCII)]
Name = Annotated[
    str,
    AfterValidator(_text),
    AfterValidator(lambda text: _line(text, MAX_NAME)),
    _shown(minLength=1, maxLength=MAX_NAME, pattern=ONE_LINE),
]
Topic = Annotated[
    str,
    AfterValidator(lambda text: _line(text, MAX_TOPIC)),
    _shown(maxLength=MAX_TOPIC, pattern=ONE_LINE),
]
DisplayName = Annotated[str, AfterValidator(chosen_name), _shown(minLength=1, maxLength=MAX_CHOSEN, pattern=ONE_LINE)]
AvatarUrl = Annotated[str, AfterValidator(_avatar_url), _shown(format="uri", maxLength=MAX_AVATAR_URL, pattern=HTTPS)]
Mentions = Annotated[list[str], AfterValidator(_mentions), _shown(maxItems=MAX_MENTIONS, items=NAMED)]
Watch = Annotated[list[str], AfterValidator(_watch), _shown(maxItems=MAX_NAMES, items=NAMED)]
Data = Annotated[dict[str, Any], AfterValidator(_data)]
EventName = Annotated[
    str, Field(pattern=EVENT_NAME), AfterValidator(_event_name), _shown(**{"not": {"enum": RESERVED}})
]
FeedKey = Annotated[str, Field(min_length=1, max_length=128, pattern=PRINTABLE_ASCII)]
FeedData = Annotated[Any, AfterValidator(_feed_data)]
Publishers = Annotated[list[str], AfterValidator(_publishers), _shown(maxItems=MAX_PUBLISHERS, items=NAMED)]
Seq = Annotated[int, Field(ge=1, lt=TOO_LARGE), _shown(format="int64")]
Number = Annotated[int, Field(ge=0, lt=TOO_LARGE), _shown(format="int64")]
Next = Annotated[
    int,
    Field(ge=1, lt=TOO_LARGE),
    WithJsonSchema({"type": "string", "pattern": WHOLE_NUMBER}),  # as `next` has it
]
"""Where a page begins, as the page before has it in `next`."""
