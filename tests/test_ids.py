import pytest

from ssechat import ids
from ssechat.ids import UserId


@pytest.mark.parametrize("name", ["alice", "A", "_x", "9", "a.b@c.org", "auth0|5f7c", "a~b+c-d", "x" * 128])
def test_a_name_of_the_allowed_characters_is_a_user_id(name: str) -> None:
    assert ids.is_user_id(name)


@pytest.mark.parametrize("name", ["", ".a", "-a", "@a", "a b", "a:b", "a/b", "a\n", "é", "x" * 129, "a\0"])
def test_anything_else_is_not(name: str) -> None:
    assert not ids.is_user_id(name)


def test_an_entry_id_is_a_number_and_a_tag() -> None:
    assert ids.entry_number("12-8736") == 12
    assert ids.entry_number("0-0") == 0
    assert ids.entry_number("1-9223372036854775807") == 1


@pytest.mark.parametrize(
    "text",
    ["", "1", "-", "-1-1", "1-", "01-1", "1-01", "1-1\n", "1-1-1", "a-b", "1" * 19 + "-1", "1-" + "9" * 20, "١-1"],
)
def test_anything_else_is_no_entry_id(text: str) -> None:
    assert ids.entry_number(text) is None


def test_two_tags_differ_and_fit_into_an_entry_id() -> None:
    tags = {ids.new_tag() for _ in range(1000)}
    assert len(tags) == 1000
    assert all(ids.entry_number(f"1-{tag}") == 1 for tag in tags)


def test_a_direct_conversation_is_the_same_from_both_sides() -> None:
    alice, bob = UserId("alice"), UserId("bob")
    assert ids.direct_conversation(alice, bob) == ids.direct_conversation(bob, alice) == "dm:alice:bob"
    assert ids.direct_conversation(bob, bob) == "dm:bob:bob"


def test_names_are_sorted_by_code_point() -> None:
    assert ids.direct_conversation(UserId("a"), UserId("B")) == "dm:B:a"


def test_a_direct_conversations_members_follow_from_its_id() -> None:
    assert ids.direct_members("dm:alice:bob") == ("alice", "bob")
    assert ids.direct_members("dm:bob:bob") == ("bob", "bob")


@pytest.mark.parametrize("text", ["dm:bob:alice", "dm:alice", "dm:alice:", "dm::bob", "g:1", "", "dm:a:b:c", "DM:a:b"])
def test_any_other_id_is_of_no_direct_conversation(text: str) -> None:
    assert ids.direct_members(text) is None


def test_tags_are_all_different_whoever_makes_them_and_never_too_long() -> None:
    one, other = ids.tags(), ids.tags()
    tags = [next(each) for each in (one, other) for _ in range(50)]
    assert len(set(tags)) == 100
    assert all(ids.entry_number(f"1-{tag}") == 1 for tag in tags)
