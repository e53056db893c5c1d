"""What is typed at a shell, as far as it is loghub's: whether the verb and its options exist."""

from __future__ import annotations

import re
import shlex

import click

from tests.docs.tables import verbs

VERBS = dict(verbs())
_COMMAND = re.compile(r"(?:^|[|(] *|&& *)(?:[A-Z_]+=\S+ +)*(loghub(?: [^\n]*)?)$", re.MULTILINE)
_END = ("|", ">", "&&", ";", ")")


def commands(text: str) -> list[list[str]]:
    """Return the words of each command of loghub in a text."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        rest = line
        while match := _COMMAND.search(rest):
            found.append(_words(match[1]))
            rest = match[1].removeprefix("loghub")
    return found


def _words(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|>;)&")
    lexer.whitespace_split = True
    words: list[str] = []
    try:
        for word in lexer:
            if word.startswith(_END):
                break
            words.append(word)
    except ValueError:  # a quotation that ends outside of what is the command's
        pass
    return words


def fault(words: list[str]) -> str | None:
    """Return why a command of loghub cannot be typed; None where it can."""
    path = next((" ".join(words[:count]) for count in (3, 2) if " ".join(words[:count]) in VERBS), None)
    if path is None:
        return None if len(words) == 1 or words[1].startswith("-") else f"there is no verb {words[1]}"
    verb, rest = VERBS[path], words[len(path.split()) :]
    if path == "loghub run":  # what follows is the command's own
        ends = [rest.index(one) for one in ("-m", "--") if one in rest] or [len(rest)]
        rest = rest[: min(ends)]
    context = click.Context(verb, info_name=path)
    context.allow_interspersed_args = path != "loghub run"
    try:
        verb.make_parser(context).parse_args(rest)
    except click.UsageError as error:
        return f"{' '.join(words)}: {error.format_message()}"
    return None
