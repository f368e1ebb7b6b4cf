import pytest

from ssechat import ids
from ssechat.ids import UserId


@pytest.mark.parametrize("name", ["alice", "a", "_x", "9", "a.b@c.org", "auth0|5f7c", "a~b+c-d", "x" * 128])
def test_a_name_of_the_allowed_characters_is_a_user_id(name: str) -> None:
    assert ids.user_id(name) == name
    assert ids.user_id(name.upper()) == name


@pytest.mark.parametrize(
    "spelling",
    ["Bob", "BOB", "ＢＯＢ", "ｂｏｂ", "𝐁𝐨𝐛", "ⓑⓞⓑ", "BＯb"],
)
def test_a_name_is_one_in_whatever_case_and_form_of_its_letters(spelling: str) -> None:
    assert ids.user_id(spelling) == "bob"


def test_spellings_that_mean_one_mean_one_at_any_length() -> None:
    assert ids.user_id("Ｘ" * 128) == ids.user_id("X" * 128) == "x" * 128
    assert ids.user_id("Ｘ" * 129) is None
    assert ids.user_id("ﬀ" * 65) is None  # two letters each
    assert ids.user_id("K" + "ſ") == "ks"  # the Kelvin sign and a long s are letters of ASCII, folded


@pytest.mark.parametrize(
    "name",
    [
        *("", ".a", "-a", "@a", "a b", " a", "a:b", "a/b", "a\n", "x" * 129, "a\0", "a" * 10**6),
        *("é", "e\u0301", "ß", "ẞ", "ı", "аlice", "a\u200db", "a\u00adb", "İ", "\ud800", "ａ：ｂ", "\ufdfa", "١"),
    ],
)
def test_anything_else_is_not(name: str) -> None:
    assert ids.user_id(name) is None


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
    assert ids.direct_conversation(UserId("a"), UserId("_")) == "dm:_:a"


def test_a_direct_conversations_members_follow_from_its_id() -> None:
    assert ids.direct_members("dm:alice:bob") == ("alice", "bob")
    assert ids.direct_members("dm:bob:bob") == ("bob", "bob")
    assert ids.direct_members("dm:ALICE:Ｂob") == ("alice", "bob")


@pytest.mark.parametrize(
    "text",
    ["dm:bob:alice", "dm:Bob:alice", "dm:B:a", "dm:alice", "dm:alice:", "dm::bob", "g:1", "", "dm:a:b:c", "DM:a:b"],
)
def test_any_other_id_is_of_no_direct_conversation(text: str) -> None:
    assert ids.direct_members(text) is None


def test_tags_are_all_different_whoever_makes_them_and_never_too_long() -> None:
    one, other = ids.tags(), ids.tags()
    tags = [next(each) for each in (one, other) for _ in range(50)]
    assert len(set(tags)) == 100
    assert all(ids.entry_number(f"1-{tag}") == 1 for tag in tags)
