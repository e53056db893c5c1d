""".NET: C#, F#, Visual Basic; also Mono's way of writing its stacks, and translated ones."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from loghub.foreign_text.shape import chained, error, frame

_AT = r"(?:at|bei|à|en|em|в|w|in|在|場所)"
_FRAME = re.compile(
    rf"\s{{0,80}}{_AT} (?P<name>[^\s()/\\:@]{{1,600}}) ?\((?P<arguments>[^)]{{0,2000}}|\)(?=\)))\)?\)?"
    r"(?: \[0x[0-9a-f]{1,8}\])?(?: in (?P<file>.{1,1000}?):(?:\w{1,10} )?(?P<line>\d{1,9})\.?)?\s*$"
)
_HEADER = re.compile(
    r"\s{0,80}(?:\[ERROR\] |FATAL )?"
    r"(?:Unhandled [Ee]xception[.:]|FATAL UNHANDLED EXCEPTION:|Unbehandelte Ausnahme:)?\s{0,9}"
    r"(?P<kind>(?:[A-Za-z_]\w{0,99}[.+]){0,20}[A-Z]\w{0,200}(?:`\d)?(?:\[[^\]]{0,200}\])?)"
    r"(?: \((?:0x[0-9A-Fa-f]{1,16}|-?\d{1,10})\))?(?:: (?P<message>.*)|:?\s*$)"
)
_WITHIN = re.compile(r"(?<![\w.])(?P<kind>(?:[A-Z]\w{0,99}\.){1,20}\w{0,100}Exception)(?:: (?P<message>.*)|$)")
_INNER_END = re.compile(r"\s{0,80}--- \S.{1,100} ---$")
_INNER_WORDS = re.compile(r"End of inner|inner exception|inneren Ausnahme|interne|interna")
_LEGEND = re.compile(r"\s{0,80}---> \(Inner Exception #")
MARK = re.compile(
    rf"(?:^|\s){_AT} (?:[^\s()/\\:@]{{1,600}}\.[^\s()/\\:@]{{1,300}}|lambda_method\d{{0,9}}) ?"
    r"\((?:|[\w.&*\[\]`+<>,]{1,300}(?: [\w.&*\[\]`+<>,@ ]{0,2000})?)\)(?= \[0x| in |\s*$)",
    re.MULTILINE,
)
_LIBRARY = (
    "System.", "Microsoft.", "Newtonsoft.", "Serilog.", "NLog.", "Autofac.", "MediatR.", "Dapper.", "Npgsql.", "MySql.",
    "MySqlConnector.", "StackExchange.", "RestSharp.", "Polly.", "Xunit.", "NUnit.", "Castle.", "FluentValidation.",
    "AutoMapper.", "Grpc.", "Azure.", "Amazon.", "MongoDB.", "RabbitMQ.", "Hangfire.", "Quartz.", "UnityEngine.",
    "Mono.", "Interop.", "MassTransit.", "NHibernate.", "Swashbuckle.", "FSharp.", "Internal.", "lambda_method",
    "(wrapper",
)  # fmt: skip
# Of nested ones, as in ``<<Run>b__0>d``, the innermost is the name that somebody wrote.
_WRITTEN = re.compile(r"<(?P<name>[\w.]{1,200})>(?:\w__(?P<local>\w{1,200})\||\w|\$)")
_ARITY = re.compile(r"`\d{1,3}|\[[^\]]{0,500}\]")


def read(lines: list[str]) -> dict[str, Any] | None:
    """Read the first exception with those within it: the innermost is printed first."""
    first = next((at for at, line in enumerate(lines) if _frame_of(line)), None)
    if first is None:
        return None
    heads = _heads(lines[max(first - 40, 0) : first])
    stacks: list[list[dict[str, Any]]] = [[]]
    strangers = 0
    for line in lines[first:]:
        if (found := _frame_of(line)) is not None:
            stacks[-1].append(found)
            strangers = 0
        elif _LEGEND.match(line):
            break
        elif _INNER_END.match(line):
            if _INNER_WORDS.search(line):
                stacks.append([])
        elif line.strip():
            strangers += 1
            if strangers > 1:
                break
    errors = []
    for at, (kind, message) in enumerate(heads):
        depth = len(heads) - 1 - at  # the stack of the innermost stands first
        module, _, name = kind.replace("+", ".").rpartition(".")
        errors.append(error(name, message, stacks[depth] if depth < len(stacks) else [], module))
    return chained(errors)


def _heads(lines: list[str]) -> list[tuple[str, str]]:
    """Return class and message of each exception, the outermost first."""
    start = None
    for at in reversed(range(len(lines))):
        line = lines[at]
        if line.lstrip().startswith("---> "):
            continue
        head = _HEADER.match(line)
        if head and ("." in head["kind"] or head["kind"].endswith(("Exception", "Error"))):
            start = at
            break
        if _WITHIN.search(line):
            start = at
            break
    if start is None:
        return [("", lines[-1].strip() if lines else "")]
    found = []
    for part in "\n".join(lines[start:]).split("---> "):
        head = _HEADER.match(part.partition("\n")[0].strip()) or _WITHIN.search(part.partition("\n")[0])
        if head is not None:
            rest = part.partition("\n")[2].strip()
            kind = _ARITY.sub("", head["kind"])
            found.append((kind, "\n".join(filter(None, [(head["message"] or "").strip(), rest]))))
    return found or [("", "")]


def _frame_of(line: str) -> dict[str, Any] | None:
    read = _FRAME.match(line)
    if read is None or not ("." in read["name"] or read["name"].startswith("lambda_method")):
        return None
    module, function, in_app = _named(read["name"])
    file = read["file"] or ""
    return frame("" if file.startswith("<") else file, function, read["line"] or 0, in_app=in_app, module=module)


@lru_cache(2048)
def _named(name: str) -> tuple[str, str, bool]:
    """Return namespace, ``Type.Method`` as somebody wrote them, and whether they are the application's."""
    in_app = not name.startswith(_LIBRARY)
    name = _ARITY.sub("", name).replace("+", ".")
    if name.endswith((".ctor", ".cctor")):
        name = name.rpartition(".")[0].rstrip(".") + ".ctor"
    written = _WRITTEN.search(name)
    if written is not None:
        around = name[: written.start()].partition("<")[0].strip(".")
        name = f"{around}.{(written['local'] or written['name']).rpartition('.')[2]}"
    else:
        name = name.replace(".<>c", "")
    before, _, method = name.rpartition(".")
    module, _, kind = before.rpartition(".")
    return module, f"{kind}.{method}" if kind else method, in_app
