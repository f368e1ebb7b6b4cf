"""Whether people are there, in answers."""

from typing import Any

from ssechat.chat.presence import Seen
from ssechat.texts.timestamps import timestamp


def there(seen: Seen) -> dict[str, Any]:
    """Whether somebody is there, and if not, since when."""
    fields: dict[str, Any] = {"online": seen.online}
    if seen.last_seen is not None:
        fields["last_seen"] = timestamp(seen.last_seen)
    return fields
