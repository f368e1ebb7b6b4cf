"""The rules of chat: which user may do what in which conversation. They know neither HTTP nor Redis commands."""

from collections.abc import Callable
from dataclasses import dataclass

from ssechat.chat.blocks import BlockRules
from ssechat.chat.conversations import Descriptions
from ssechat.chat.decisions import Decisions
from ssechat.chat.edits import Edits
from ssechat.chat.feeds import FeedRules
from ssechat.chat.groups import Groups
from ssechat.chat.history import History
from ssechat.chat.invites import Invitations
from ssechat.chat.joins import Joins
from ssechat.chat.marks import Marks
from ssechat.chat.members import Membership
from ssechat.chat.messages import Messages
from ssechat.chat.participants import Participants
from ssechat.chat.presence import PresenceRules
from ssechat.chat.profiles import ProfileRules
from ssechat.chat.reactions import ReactionRules
from ssechat.chat.receipts import ReceiptRules
from ssechat.chat.typing import TypingRules
from ssechat.identity.profiles import Profiles
from ssechat.identity.sightings import Sightings
from ssechat.identity.users import Users
from ssechat.identity.watch_lists import WatchLists
from ssechat.ids import UserId
from ssechat.logs.blocks import Blocks
from ssechat.logs.conversations import Conversations
from ssechat.logs.delivery import Delivery
from ssechat.logs.feeds import Feeds
from ssechat.logs.group_ids import GroupIds
from ssechat.logs.inbox import Inbox
from ssechat.logs.invites import Invites
from ssechat.logs.members import Members
from ssechat.logs.reactions import Reactions
from ssechat.logs.receipts import Receipts
from ssechat.redis.client import Redis


@dataclass(frozen=True, slots=True)
class Chat:
    """The rules, by what they are about."""

    messages: Messages
    edits: Edits
    reactions: ReactionRules
    history: History
    conversations: Descriptions
    groups: Groups
    members: Membership
    invites: Invitations
    joins: Joins
    marks: Marks
    typing: TypingRules
    receipts: ReceiptRules
    profiles: ProfileRules
    blocks: BlockRules
    presence: PresenceRules
    feeds: FeedRules

    @classmethod
    def of(
        cls,
        redis: Redis,
        conversations: Conversations,
        members: Members,
        inbox: Inbox,
        delivery: Delivery,
        users: Users,
        *,
        known: Callable[[UserId], bool | None],
        receipts: bool = True,
        anybody_makes_feeds: bool = False,
        banner: str | None = None,
    ) -> "Chat":
        """The rules of a worker with these parts. `known` is that of `PresenceRules`; `receipts`: whether there are
        any."""
        feeds = Feeds(redis)
        participants = Participants(conversations, members, users)
        decisions, invites = Decisions(delivery, members), Invites(redis)
        blocks, lists, profiles = Blocks(redis, inbox.limit), WatchLists(redis), Profiles(redis)
        shown = ReceiptRules(members, inbox, Receipts(redis, inbox), profiles, blocks, on=receipts)
        return cls(
            Messages(participants, delivery, users),
            Edits(participants, members, delivery),
            ReactionRules(participants, conversations, Reactions(redis), delivery),
            History(participants, conversations, delivery),
            Descriptions(participants, conversations, members, inbox, delivery, blocks, shown),
            Groups(decisions, delivery, users, GroupIds(redis), members, blocks),
            Membership(decisions, members, users, blocks, feeds.announce_left),
            Invitations(members, invites),
            Joins(decisions, members, invites),
            Marks(participants, members, inbox, shown),
            TypingRules(participants, members, inbox, blocks, delivery.charge),
            shown,
            ProfileRules(profiles, inbox.accounts, blocks),
            BlockRules(blocks, users, lists.changed),
            PresenceRules(
                participants,
                conversations,
                members,
                Sightings(redis),
                lists,
                inbox.accounts,
                delivery.charge,
                known,
            ),
            FeedRules(feeds, members, users, anybody=anybody_makes_feeds, reserved=banner),
        )
