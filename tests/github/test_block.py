"""The block: what machines read back, and that all that people write around it stays."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loghub.github import block
from loghub.github.block import BEGIN, BODY_LIMIT, END, State, read_state, splice, write_state
from tests.github.rendered import (
    AT,
    FINGERPRINT,
    STATE,
    Page,
    assert_harmless,
    hostile,
    hostile_states,
    ledgers,
    recoveries,
    seen,
    states,
    thorough,
    times,
    units,
)

numbers = st.none() | st.integers(1, 2**53 - 1)
BLOCK = block.block(STATE)
FRESH = State(FINGERPRINT, {"one": 1300}, AT - 86_400, AT)
FRESH_BLOCK = block.block(FRESH)


# The state


@thorough
@given(states)
def test_state_is_read_back(state):
    """What was written is read, with the same order of ledgers, from one line that is one comment."""
    line = write_state(state)
    read = read_state(f"{BEGIN}\n{line}\n{END}")

    assert read == state
    assert list(read.counts) == list(state.counts)
    assert "\n" not in line
    assert line.count("--") == 2
    assert line.count(">") == 1
    assert Page(line).html == line + "\n"
    assert list(json.loads(line[18:-4])) == ["v", "fingerprint", "counts", "first_seen_at", "last_seen_at"]


@thorough
@given(states, states, states)
def test_merge_converges(one, two, three):
    """Writers that know nothing of each other end at the same state, in any order and however often."""
    two, three = (State(one.fingerprint, s.counts, s.first_seen_at, s.last_seen_at) for s in (two, three))

    assert one.merge(two) == two.merge(one)
    assert one.merge(two).merge(three) == one.merge(two.merge(three))
    assert one.merge(two).merge(two) == one.merge(two)
    assert one.merge(two).count >= max(one.count, two.count)


def test_merge():
    """Per ledger the larger count, the earliest first, the latest last; who spoke last comes last."""
    mine = State(FINGERPRINT, {"a": 5, "b": 2, "c": 1}, 10, 20)
    merged = mine.merge(State(FINGERPRINT, {"a": 3, "d": 4}, 5, 15))

    assert merged == State(FINGERPRINT, {"b": 2, "c": 1, "a": 5, "d": 4}, 5, 20)
    assert list(merged.counts) == ["b", "c", "a", "d"]
    assert merged.count == 12


@pytest.mark.slow
@thorough
@given(*[st.builds(State, st.just(FINGERPRINT), st.just({}), times, times, seen, seen, seen, recovery=recoveries)] * 3)
def test_names_merge(one, two, three):
    """Names converge as counts do, each with the time at which anybody saw it first; so does the last recovery."""
    assert one.merge(two).recovery == max(one.recovery, two.recovery)
    assert one.merge(two) == two.merge(one)
    assert one.merge(two).merge(three) == one.merge(two.merge(three))
    assert one.merge(two).merge(two) == one.merge(two)
    for kind in ("releases", "environments", "servers"):
        ours, theirs = getattr(one, kind), getattr(two, kind)
        merged = getattr(one.merge(two), kind)
        assert merged.keys() == ours.keys() | theirs.keys()
        assert all(at == min(said[name] for said in (ours, theirs) if name in said) for name, at in merged.items())


def test_merge_keeps_what_the_issue_says():
    """Of a duplicate and of a silence only the issue knows: what a ledger adds says nothing of them."""
    said = replace(STATE, duplicate_of=7, quiet=True)

    merged = said.merge(State(FINGERPRINT, {"a": 1}, AT, AT))

    assert (merged.duplicate_of, merged.quiet) == (7, True)


def test_many_ledgers():
    """A hundred ledgers are told apart; the silent ones are one sum, so that the line stays short."""
    state = State(FINGERPRINT, {}, AT, AT)
    for number in range(1, 501):
        fresh = State(FINGERPRINT, {f"ledger-{number:027}": 2}, AT, AT)
        state = read_state(block.block(state.merge(fresh)))

    assert state.count == 1000
    assert len(state.counts) == 101
    assert list(state.counts)[:2] == ["*", f"ledger-{401:027}"]
    assert len(write_state(state)) < 6_000


GOOD = {
    "v": 1,
    "fingerprint": FINGERPRINT,
    "counts": {"a": 1},
    "first_seen_at": "2025-11-05T08:23:41.206Z",
    "last_seen_at": "2025-11-06T08:23:41.206Z",
}


def with_state(text):
    """Return a body whose block begins with a state line of that JSON."""
    return f"hello\n\n{BEGIN}\n<!-- loghub:state {text} -->\n{END}\n"


def test_good_state():
    """The example that the bad ones differ from is read."""
    assert read_state(with_state(json.dumps(GOOD))).counts == {"a": 1}


@pytest.mark.parametrize(
    "changed",
    [
        *(
            {"v": 2},
            {"v": "1"},
            {"v": True},
            {"v": None},
            {"fingerprint": 1},
            {"fingerprint": ""},
            {"fingerprint": "x" * 65},
        ),
        *(
            {"counts": []},
            {"counts": {"a": -1}},
            {"counts": {"a": 1.5}},
            {"counts": {"a": True}},
            {"counts": {"a": "1"}},
        ),
        *(
            {"counts": {"": 1}},
            {"counts": {"a" * 65: 1}},
            {"counts": {"a b": 1}},
            {"counts": {"a": 2**53}},
            {"counts": None},
        ),
        *(
            {"first_seen_at": 7},
            {"first_seen_at": "soon"},
            {"last_seen_at": None},
            {"last_seen_at": "0001-01-01T00:00:00Z"},
        ),
    ],
)
def test_wrong_types(changed):
    """A state with a wrong type or range is no state."""
    assert read_state(with_state(json.dumps({**GOOD, **changed}))) is None


@pytest.mark.parametrize("key", GOOD)
def test_missing_key(key):
    """A state that lacks a key is no state."""
    assert read_state(with_state(json.dumps({k: v for k, v in GOOD.items() if k != key}))) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{}",
        "[]",
        "1",
        "null",
        "[" * 20_000,
        '{"v":' * 100_000 + "1" + "}" * 100_000,
        "{" + "9" * 5000 + "}",
        '{"v": ' + "9" * 5000 + "}",
    ],
)
def test_malformed_state(text):
    """Broken, endless or deep JSON is no state and no error."""
    assert read_state(with_state(text)) is None


@thorough
@given(
    st.none() | hostile | st.text() | st.lists(st.sampled_from([BEGIN, END, "\n", "```", "{", "}", "- "])).map("".join)
)
def test_read_never_raises(body):
    """No body makes reading raise."""
    read_state(body)


def test_state_from_strangers_can_be_written_again():
    """Whatever is read can be written, merged and shown."""
    edge = {**GOOD, "first_seen_at": "1970-01-01T00:00:00+00:00", "last_seen_at": "9999-12-31T23:59:59Z"}
    state = read_state(with_state(json.dumps(edge)))

    assert read_state(block.block(state.merge(state))) == state


# The second line for machines


def seen_line(text):
    """Return the second line of a block, without its comment; empty if there is none."""
    line = text.split("\n")[2]
    return line.removeprefix("<!-- loghub:seen ").removesuffix(" -->")


@pytest.mark.slow
@thorough
@given(hostile_states)
def test_seen_is_bounded(state):
    """However long and odd its names are, the second line is one comment of bounded length with nothing live in it."""
    text = block.block(state)
    line = seen_line(text)

    assert len(line) <= 4_000
    assert line.isascii()
    assert not set("<>&@#") & set(line)
    assert "--" not in line
    read = read_state(text)
    assert read.counts == state.counts
    for kind in ("releases", "environments", "servers"):
        assert all(units(name) <= 100 for name in getattr(read, kind))
        assert len(getattr(read, kind)) <= 20


plain = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10)
fitting = st.dictionaries(plain, st.integers(0, 4_000_000_000), max_size=8)


@pytest.mark.slow
@thorough
@given(
    st.builds(
        State, ledgers, st.just({}), times, times, fitting, fitting, fitting, numbers, st.booleans(),
        recovery=st.tuples(st.integers(0, 4_000_000_000), plain),
    )
)  # fmt: skip
def test_seen_is_read_back(state):
    """What fits is read back: names and times, the issue that goes on with the bug, the silence, the recovery."""
    assert read_state(block.block(state)) == state


def test_no_seen():
    """Where there is nothing to say there is no second line."""
    assert seen_line(BLOCK) == ""
    assert "loghub:seen" not in BLOCK


def test_newest_names_fit():
    """Of many names the second line has those that were seen last, and of long ones fewer."""
    many = {f"r{n}": n for n in range(50)}
    long = {f"{n:095}": n for n in range(30)}

    assert list(read_state(block.block(replace(STATE, releases=many))).releases) == [f"r{n}" for n in range(30, 50)]
    text = block.block(replace(STATE, releases=long, environments=long, servers=long))
    read = read_state(text)
    newest = {f"{n:095}": n for n in range(20, 30)}
    assert read.releases == read.environments == read.servers == newest
    assert 3_000 < len(seen_line(text)) <= 4_000


@pytest.mark.parametrize(
    ("seen", "read"),
    [
        ("{", {}),
        ("{}", {}),
        ("[]", {}),
        ('{"a": ' + "[" * 20_000 + "}", {}),
        ('{"releases": ' + "9" * 5000 + "}", {}),
        ('{"releases": ["1.0"], "servers": {"a": 7}}', {"servers": {"a": 7}}),
        ('{"releases": {"a": 1, "b": "2", "c": true, "d": -1, "e": 1e400, "f": 1.5, "": 3}}', {"releases": {"a": 1}}),
        ('{"releases": {"late": 253402300800, "last": 253402300799}}', {"releases": {"last": 253402300799}}),
        ('{"duplicate_of": 3, "quiet": 1}', {"duplicate_of": 3}),
        *((f'{{"duplicate_of": {odd}, "quiet": true}}', {"quiet": True}) for odd in (0, -3, 1.0, "true", '"3"', 2**53)),
        ('{"recovery": {"at": 5, "said": "x"}}', {"recovery": (5.0, "x")}),
        *(
            (f'{{"recovery": {odd}, "quiet": true}}', {"quiet": True})
            for odd in ('"x"', "{}", '{"at": "5", "said": "x"}', '{"at": 5, "said": 7}', '{"at": -1, "said": "x"}')
        ),
        ('{"quiet": "yes", "unknown": {"a": 1}, "environments": {"prod": 1}}', {"environments": {"prod": 1}}),
    ],
)
def test_malformed_seen(seen, read):
    """What people have spoilt in the second line is left out; the rest, and the state, are read."""
    body = f"{BEGIN}\n{write_state(STATE)}\n<!-- loghub:seen {seen} -->\n{END}\n"

    assert read_state(body) == replace(STATE, **read)


@pytest.mark.parametrize("spoilt", ["\n{}", "said: {}", "> {}", "{}!", "{} {}", " {}"])
def test_seen_elsewhere(spoilt):
    """A second line that is not in its place, or not alone on its line, is none."""
    line = '<!-- loghub:seen {"quiet": true} -->'

    assert read_state(f"{BEGIN}\n{write_state(STATE)}\n{spoilt.replace('{}', line)}\n{END}\n") == STATE


# What people read in it


def test_what_people_read():
    """Of many hosts, releases and environments the newest are shown, and how many more; rows with nothing are not."""
    releases, environments = {f"r{n}": n for n in range(9)}, {f"e{n}": n for n in range(5)}
    state = replace(STATE, releases=releases, environments=environments, servers={"a|b": 1})

    text = block.block(replace(state, duplicate_of=12, quiet=True, recovery=(AT, "recovered by a|b in 0.5 s")))

    assert "| Releases | `r8`, `r7`, `r6`, `r5`, `r4` and 4 more |" in text
    assert "| Hosts | `a\\u007cb` |" in text
    assert "| Environments | `e4`, `e3`, `e2`, `e1`, `e0` |" in text
    assert "| Duplicate of | #12 |" in text
    assert "| Recovery | `recovered by a\\u007cb in 0.5 s` |" in text
    assert "| Closed | because it was silent; opened again when it is seen again |" in text
    assert not re.search("Releases|Hosts|Environments|Duplicate|Closed|Recovery", BLOCK)


@pytest.mark.slow
@thorough
@given(hostile_states)
def test_no_name_is_live(state):
    """The block is one table and hidden comments, whatever the names in it are."""
    text = block.block(state)

    second = ["loghub:seen"] if seen_line(text) else []
    assert_harmless(text, ["loghub:begin", "loghub:state", *second, "loghub:end"])
    assert Page(text).tags.count("table") == 1


# Our block in a body that people edit


def indented(text, by):
    """Return a text with something before each line."""
    return "".join(by + line for line in text.splitlines(keepends=True))


@pytest.mark.parametrize(
    "quoted",
    [
        f"```\n{BLOCK}\n```\n",
        f"~~~~ text\n{BLOCK}\n~~~\n```\n~~~~~\n",
        f"````\n```\n{BLOCK}\n```\n````\n",
        f"   ```\n{BLOCK}\n   ```\n",
        f"```\n{BLOCK}\n    ```\n",
        f"```\r\n{BLOCK}\r\n```\r\n".replace("\n", "\r\n").replace("\r\r", "\r"),
        indented(f"```\n{BLOCK}\n```\n", "> "),
        indented(BLOCK, "> ") + "\n",
        indented(BLOCK, "    ") + "\n",
        indented(BLOCK, "\t") + "\n",
        f"- ```\n{indented(BLOCK, '  ')}\n  ```\n",
        f"1. step\n\n   ```\n{indented(BLOCK, '   ')}\n   ```\n",
        f"```\n{BLOCK}\n",
        f"text {BEGIN}\n{write_state(STATE)}\n{END}\n",
        f"{write_state(STATE)}\n",
        f"{END}\n{write_state(STATE)}\n{BEGIN}\n",
        f"{BEGIN}\n{write_state(STATE)}\n",
        f"{BEGIN}\n\n{write_state(STATE)}\n{END}\n",
        f"{BEGIN}\n{write_state(STATE)}, said the bot\n{END}\n",
    ],
)
def test_quoted_block_is_not_ours(quoted):
    """What a person quotes of a block is not read, and a fresh block beside it is."""
    assert read_state(quoted) is None
    spliced = splice(quoted, FRESH)
    assert read_state(spliced) == FRESH


def test_ours_after_a_quoted_one():
    """Our block is read although another is quoted before it, and only ours is replaced."""
    quotes = [
        f"```\n{BLOCK}\n```",
        indented(BLOCK, "> "),
        f"- ```\n{indented(BLOCK, '  ')}\n  ```",
        f"- ```\n  {BEGIN}",
    ]
    for quote in quotes:
        text = f"{quote}\n\n{FRESH_BLOCK}\n\nbye\n"
        assert read_state(text) == FRESH
        assert splice(text, STATE) == f"{quote}\n\n{BLOCK}\n\nbye\n"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_read_any_newline(newline):
    """GitHub's editor makes CRLF of every newline; the block is read all the same."""
    assert read_state(f"{BEGIN}  \n{write_state(STATE)}\t\n{END} \n".replace("\n", newline)) == STATE


def test_splice_crlf():
    """In a body with CRLF the block gets CRLF, all other text stays, and the same block changes nothing."""
    text = f"one\r\n\r\n{BLOCK}\r\ntwo \u2028\x0b\r\n".replace("\r\n", "\n").replace("\n", "\r\n")

    spliced = splice(text, FRESH)

    assert spliced == "one\r\n\r\n" + FRESH_BLOCK.replace("\n", "\r\n") + "\r\ntwo \u2028\x0b\r\n"
    assert splice(spliced, FRESH) == spliced


def test_splice_in_place():
    """The block is replaced where it stands, with what people wrote into it."""
    edited = BLOCK.replace("| Occurrences", "my note\n| Occurrences")

    assert splice(f"a\n{edited}\nb", FRESH) == f"a\n{FRESH_BLOCK}\nb"


@pytest.mark.parametrize(("body", "spliced"), [("", ""), ("a", "a\n\n"), ("a\r\n", "a\r\n\r\n\r\n")])
def test_splice_appends(body, spliced):
    """Where the block is gone it comes at the end."""
    newline = "\r\n" if "\r" in body else "\n"

    assert splice(body, FRESH) == spliced + FRESH_BLOCK.replace("\n", newline)


def test_splice_before_an_open_fence():
    """After a fence that nobody closed the end is code, so the block comes first, and later finds itself."""
    spliced = splice("note\n```\ncode", FRESH)

    assert spliced == f"{FRESH_BLOCK}\n\nnote\n```\ncode"
    assert splice(spliced, STATE) == f"{BLOCK}\n\nnote\n```\ncode"


PEOPLE = [BEGIN, END, write_state(STATE), BLOCK, "```", "~~~", "````", "- ```", "  ```", "> ", "    ", "1. "]
PEOPLE += ["- ", "text", "\n", "\n\n", "\r\n", "\r", "\u2028", "\ud800", "<details>", "<!--", "-->", " "]
people = st.lists(st.sampled_from(PEOPLE) | st.text(max_size=3), max_size=15).map("".join)


@thorough
@given(people)
def test_splice_any_body(body):
    """Whatever people wrote stays around one block that is read; once more changes nothing."""
    spliced = splice(body, FRESH)

    assert read_state(spliced) == FRESH
    before, found, after = spliced.partition(FRESH_BLOCK)
    if not found:
        before, found, after = spliced.partition(FRESH_BLOCK.replace("\n", "\r\n"))
    assert found
    if read_state(body) is None and END not in body:
        assert body in (before[: len(body)], after[-len(body) :])
    else:
        assert body.startswith(before.rstrip("\r\n")) or body.endswith(after.lstrip("\r\n"))
    assert splice(spliced, FRESH) == spliced


plain_people = st.lists(
    st.sampled_from(
        ["```\n", "~~~\n", "````\n", "- ```\n", "  ```\n", "> ```\n", "    ```\n", "text\n", "\n", "> x\n"]
    ),
    max_size=8,
).map("".join)


@thorough
@given(plain_people, plain_people)
def test_markdown_agrees(before, after):
    """A block that is read is one that Markdown takes for hidden comments, never for code."""
    body = f"{before}{BLOCK}\n{after}"
    hidden = "<!-- loghub:begin -->\n<!-- loghub:state" in Page(body).html

    if read_state(body):
        assert hidden


# Several bugs in one issue

OTHERS = [State(f"v1:{n:016x}", {"one": n}, AT, AT, releases={"1.0": 5}) for n in range(1, 4)]
SPOILT = BLOCK.replace('{"v"', '{"w"')


def test_several_blocks():
    """Each bug finds its block by its fingerprint, and all are read in their order."""
    body = "\n\n".join(["text", *map(block.block, [*OTHERS, STATE])])

    assert block.read_states(body) == [*OTHERS, STATE]
    assert block.read_blocks(body) == [(one, block.block(one)) for one in [*OTHERS, STATE]]
    assert all(read_state(body, one.fingerprint) == one for one in [*OTHERS, STATE])
    assert read_state(body) == OTHERS[0]
    assert read_state(body, "v1:ffffffffffffffff") is None


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("place", range(4))
def test_one_block_is_replaced(newline, place):
    """Only the bug's own block changes; the others and what people wrote stay byte for byte."""
    blocks = [block.block(one) for one in OTHERS]
    blocks.insert(place, BLOCK)
    before = "".join(f"note \u2028\n\n{one}\n" for one in blocks[:place]) + "mine:\n"
    after = "\nbye\n" + "".join(f"{one}\n\x0bnote\n" for one in blocks[place + 1 :])

    spliced = splice(f"{before}{BLOCK}{after}".replace("\n", newline), FRESH)

    assert spliced == f"{before}{FRESH_BLOCK}{after}".replace("\n", newline)


def test_block_keeps_its_own_newlines():
    """A block gets the newlines of the one that it replaces, whatever the others have."""
    crlf = block.block(OTHERS[0]).replace("\n", "\r\n")

    assert splice(f"{crlf}\r\n\r\n{BLOCK}", FRESH) == f"{crlf}\r\n\r\n{FRESH_BLOCK}"


def test_new_block_beside_others():
    """A bug without a block gets one at the end, and takes none of another's."""
    body = "\n\n".join(map(block.block, OTHERS))

    assert splice(body, FRESH) == f"{body}\n\n{FRESH_BLOCK}"


@pytest.mark.parametrize(
    "other",
    [
        f"```\n{BLOCK}\n```",
        indented(BLOCK, "> "),
        f"{BEGIN}\n{write_state(STATE)}",
        f"{BEGIN}\n{BEGIN}",
        f"- ```\n{indented(BLOCK, '  ')}\n  ```",
        block.block(OTHERS[0]),
    ],
)
def test_quoted_and_broken_among_several(other):
    """Beside blocks that are quoted, or lost their end, each bug's own is found and replaced alone."""
    body = f"{other}\n\n{block.block(OTHERS[1])}\n\n{BLOCK}\n"

    spliced = splice(body, FRESH)

    assert spliced == f"{other}\n\n{block.block(OTHERS[1])}\n\n{FRESH_BLOCK}\n"
    assert read_state(spliced, OTHERS[1].fingerprint) == OTHERS[1]


def test_spoilt_block():
    """A block whose state is spoilt is taken for that of the bug that has none, and never for another's."""
    body = f"{SPOILT}\n\n{block.block(OTHERS[0])}"
    grown = replace(OTHERS[0], counts={"one": 9})

    assert block.read_states(body) == [OTHERS[0]]
    assert splice(body, FRESH) == f"{FRESH_BLOCK}\n\n{block.block(OTHERS[0])}"
    assert splice(body, grown) == f"{SPOILT}\n\n{block.block(grown)}"


between = st.lists(people.map(lambda text: f"{text}\n"), min_size=4, max_size=4)


@pytest.mark.slow
@thorough
@given(between, st.lists(st.sampled_from([*OTHERS, STATE]), max_size=4))
def test_any_body_of_several(texts, others):
    """Whatever people write between blocks, one bug's is replaced, and of the others what was read is read again."""
    body = "".join(text + block.block(one) + "\n" for text, one in zip(texts, others, strict=False))
    read = block.read_states(body)

    spliced = splice(body, FRESH)

    again = block.read_states(spliced)
    assert [one for one in again if one in OTHERS] == [one for one in read if one in OTHERS]
    assert read_state(spliced, FINGERPRINT) == FRESH
    assert splice(spliced, FRESH) == spliced


def test_put_says_what_it_is_given():
    """`put` takes the text of a block, with what is visible in it, and the same text again changes nothing."""
    text = block.framed(FRESH, ["my own lines", "", "| a |", "| --- |"])

    body = block.put(f"a\n\n{BLOCK}\n\nb", text)

    assert body == f"a\n\n{text}\n\nb"
    assert block.put(body, text) == body


# When there is little room


def test_shortened_block():
    """Near the limit the block is cut down to its state; beyond it there is no edit."""
    room = BODY_LIMIT - units(FRESH_BLOCK)
    assert splice("x" * (room - 2), FRESH).endswith(FRESH_BLOCK)

    short = splice("x" * (room - 1), FRESH)
    assert units(short) <= BODY_LIMIT
    assert short.endswith(f"\n\n{BEGIN}\n{write_state(FRESH)}\n{END}")
    assert read_state(short) == FRESH

    assert splice("x" * BODY_LIMIT, FRESH) is None
    assert splice("\U0001f308" * (BODY_LIMIT // 2), FRESH) is None
