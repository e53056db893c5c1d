"""Elixir and Erlang's short form, and Perl."""

from __future__ import annotations

import re
from typing import Any

from loghub.foreign_text.shape import error, frame

_RAISED = re.compile(
    r".{0,300}?\*\* (?:\((?P<kind>[A-Z][\w.]{0,200}|stop|exit|throw|EXIT[^)]{0,100})\)) (?P<message>.*)"
)
_BEAM = re.compile(
    r"\s+(?:\((?P<app>[a-z]\w{0,80})(?: [\w.+-]{1,40})?\) )?(?P<file>[^\s:()]{1,500}\.(?:exs?|erl|eex|heex"
    r"|leex|yrl)):(?P<line>\d{1,9}): "
    r"(?P<name>.*)$"
)
_ANONYMOUS = re.compile(r"(?:anonymous )?fn/\d{1,3} in |-fun[./]\d.*| in .*")
_BEAM_LIBRARY = frozenset({
    "elixir", "stdlib", "kernel", "logger", "mix", "iex", "eex", "ex_unit", "erts", "ssl", "inets", "crypto",
    "phoenix", "phoenix_html", "phoenix_live_view", "phoenix_pubsub", "phoenix_ecto", "plug", "plug_cowboy",
    "plug_crypto", "ecto", "ecto_sql", "postgrex", "myxql", "db_connection", "cowboy", "cowlib", "ranch",
    "bandit", "thousand_island", "websock_adapter", "telemetry", "oban", "absinthe", "absinthe_plug", "jason",
    "poison", "tesla", "finch", "mint", "hackney", "httpoison", "gen_stage", "broadway", "gettext", "swoosh",
    "amqp", "amqp_client", "nimble_pool", "redix", "quantum",
})  # fmt: skip
_DIED = re.compile(
    r"(?P<message>.{0,3000}?) at (?P<file>\S{1,500}?\.(?:p[lm]|t|cgi|psgi|PL)|\(eval \d{1,6}\)"
    r"|-e) line (?P<line>\d{1,9})"
    r"(?:, <\S{1,40}> (?:line|chunk) \d{1,12})?\.?$"
)
_CALLED = re.compile(
    r"\s+(?P<name>[\w:']{1,300}|eval \{\.\.\.\}|eval '.*)(?:\(.*\))? called at (?P<file>\S{1,500}"
    r"|\(eval \d+\)) line (?P<line>\d{1,9})"
)
_PERL_LIBRARY = re.compile(r"/perl5?/(?:[\w.-]+/)|/perl/\d|/share/perl|/site_perl/|/vendor_perl/|^\(eval")
BEAM_MARK = re.compile(r"\*\* \((?:[A-Z]|stop|exit|throw)")
PERL_MARK = re.compile(r" at \S{1,500}\.(?:p[lm]|t|cgi|psgi|PL) line \d+|\) called at \S{1,500} line \d+")


def read_beam(lines: list[str]) -> dict[str, Any] | None:
    """Read an exception of Elixir's, with the stack below it."""
    start = next((at for at, line in enumerate(lines) if _RAISED.match(line)), None)
    head = _RAISED.match(lines[start]) if start is not None else None
    if start is None or head is None:
        return None
    frames: list[dict[str, Any]] = []
    for line in lines[start + 1 : start + 300]:
        found = _BEAM.match(line)
        if found is None and frames and not line.startswith(" "):
            break
        if found is not None:
            library = (found["app"] or "") in _BEAM_LIBRARY or found["file"].startswith(("deps/", "gen_"))
            name = found["name"].partition("(")[0] if not found["name"].startswith("anonymous") else found["name"]
            name = _ANONYMOUS.sub("", name.rpartition(" in ")[2] if " in " in name else name)
            name = name.strip().lstrip(":").rpartition("/")[0] or name.strip().lstrip(":")
            frames.append(frame(found["file"], name, found["line"], in_app=not library))
    if not frames and "." not in head["kind"] and not head["kind"].endswith("Error"):
        return None
    module, _, kind = head["kind"].rpartition(".")
    return error(kind, head["message"], frames, module)


def read_perl(lines: list[str]) -> dict[str, Any] | None:
    """Read what Perl died of; Carp's callers, if it tells them."""
    for at, line in enumerate(lines):
        if (died := _DIED.match(line)) is None:
            continue
        places, names = [(died["file"], died["line"])], []
        for caller in lines[at + 1 : at + 300]:
            called = _CALLED.match(caller)
            if called is None:
                break
            places.append((called["file"], called["line"]))
            names.append(called["name"].partition(" ")[0])
        names.append("main" if names else "")
        frames = [
            frame(file, name, number, in_app=not _PERL_LIBRARY.search(file))
            for (file, number), name in zip(places, names, strict=True)
        ]
        return error("die", died["message"], frames)
    return None
