"""Java, Kotlin, Scala and what else runs on the JVM; also logback's and log4j's ways of writing its stacks."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from loghub.foreign_text.shape import MAX_MESSAGE, chained, error, frame

_FRAME = re.compile(
    r"\s{0,80}at (?:[\w.@-]{0,200}/{1,2}){0,3}(?P<name>[^\s()/]{1,500}?)\.(?P<method>[^\s().]{1,200})\s?"
    r"\((?P<place>[\w$.-]{1,200}(?:\.\w{1,10})?(?::-?\d{1,9})?|Native Method|Unknown Source|<generated>|)\)"
    r"(?:\s*~?\[[^\]]{0,300}\])?$"
)
_HEADER = re.compile(
    r"(?P<indent>\s{0,80})(?P<mark>Caused by: |Suppressed: |Wrapped by: |\[CIRCULAR REFERENCE:\s?)?"
    r"(?:Exception in thread \"[^\"]{0,200}\" )?"
    r"(?P<kind>(?:[a-z_]\w{0,99}\.){0,20}[A-Z][\w$]{0,200}(?:\.[A-Z][\w$]{0,200}){0,9})(?:: (?P<message>.*)|:?$)"
)
_WITHIN = re.compile(
    r"(?<![\w.$])(?P<kind>(?:[a-z_]\w{0,60}\.){1,20}[A-Z][\w$]{0,100}(?:Exception|Error|Throwable))"
    r"(?:: (?P<message>.*)|$)"
)
_MORE = re.compile(r"\s{0,80}\.\.\. (?P<count>\d{1,6}) (?:more|common frames omitted)")
_SUPPRESSED = re.compile(r"(?P<indent>\s{0,80})Suppressed: ")
_LINKS = ("Caused by: ", "Wrapped by: ")
_BACK = 40  # lines of a message at most
MARK = re.compile(
    r"\bat [^\s()]{1,500}\.[^\s().]{1,200}"
    r"\((?:[\w$-]{1,200}\.(?:java|kt|kts|scala|groovy|clj|gradle)(?::\d{1,9})?|Native Method|Unknown Source"
    r"|SourceFile(?::\d+)?"
    r"|<generated>)\)"
)
_LIBRARY = (
    "java.", "javax.", "jdk.", "sun.", "com.sun.", "jakarta.", "kotlin.", "kotlinx.", "scala.", "groovy.",
    "clojure.", "org.springframework.", "org.apache.", "org.hibernate.", "org.eclipse.jetty.", "org.glassfish.",
    "org.jboss.", "org.wildfly.", "io.netty.", "io.undertow.", "io.vertx.", "io.quarkus.", "io.micronaut.",
    "io.grpc.", "io.ktor.", "io.micrometer.", "io.lettuce.", "io.reactivex.", "io.opentelemetry.", "reactor.",
    "rx.", "okhttp3.", "okio.", "retrofit2.", "com.google.common.", "com.google.inject.", "com.google.gson.",
    "com.google.protobuf.", "com.google.android.", "com.fasterxml.", "com.zaxxer.", "com.mysql.", "com.mongodb.",
    "com.netflix.", "com.amazonaws.", "software.amazon.", "com.android.", "com.datastax.", "org.postgresql.",
    "org.h2.", "org.mariadb.", "oracle.", "com.microsoft.", "org.junit.", "junit.", "org.mockito.", "org.slf4j.",
    "ch.qos.", "org.gradle.", "worker.org.gradle.", "org.codehaus.", "akka.", "play.", "android.", "androidx.",
    "dalvik.", "libcore.", "net.bytebuddy.", "org.aspectj.", "org.quartz.", "feign.", "redis.clients.",
    "org.elasticsearch.", "org.thymeleaf.", "org.flywaydb.", "liquibase.", "org.jetbrains.", "org.xml.",
    "org.w3c.", "org.testng.", "org.scalatest.", "cats.", "zio.", "graphql.", "brave.", "lombok.",
    "net.sf.cglib.",
)  # fmt: skip
_GENERATED = re.compile(
    r"\$\$(?:FastClass|Enhancer|SpringCGLIB|Lambda)|_\$\$_|\$Proxy\d|GeneratedMethodAccessor|\$HibernateProxy"
    r"|\$MockitoMock|_Subclass$|_ClientProxy$|\$ByteBuddy|GeneratedConstructorAccessor|ByCGLIB"
)
_COUNTER = re.compile(r"\$(?:\d{1,9}|anon|anonfun|delayedInit|adapted)(?=\$|$)")
_SEPARATORS = re.compile(r"\$+")
_LAMBDA = re.compile(r"\$?(?:lambda|anonfun)\$")


def read(lines: list[str]) -> dict[str, Any] | None:
    """Read the first stack and what caused it; suppressed exceptions are left out."""
    first = next((at for at, line in enumerate(lines) if _FRAME.match(line)), None)
    if first is None:
        return None
    sections, first_is_root = _sections(lines, first)
    errors = []
    outer: list[dict[str, Any]] = []
    for section in sections:
        full = section.frames + (outer[-section.more :] if 0 < section.more <= len(outer) else [])
        outer = outer if first_is_root else full
        module, _, name = _COUNTER.sub("", section.kind).rstrip("$").rpartition(".")
        errors.append(error(name, section.message, full, module))
    return chained(errors[::-1] if first_is_root else errors)


class _Section:
    """An exception as it is printed."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        self.message = message
        self.frames: list[dict[str, Any]] = []
        self.more = 0
        """How many frames are those of the exception around it."""


def _sections(lines: list[str], first: int) -> tuple[list[_Section], bool]:
    """Return the exceptions as printed, and whether the first of them is the root of all."""
    sections = [_Section(*_headline(lines[max(first - _BACK, 0) : first]))]
    skipped, strangers, wrapped = -1, 0, False  # how far a suppressed one is indented
    for line in lines[first:]:
        now = sections[-1]
        head = _HEADER.match(line)
        if head is not None and head["mark"] in _LINKS and not 0 <= skipped <= len(head["indent"]):
            wrapped |= head["mark"] == "Wrapped by: "
            sections.append(_Section(head["kind"], head["message"] or ""))
            skipped, strangers = -1, 0
        elif (suppressed := _SUPPRESSED.match(line)) is not None:
            skipped = len(suppressed["indent"]) if skipped < 0 else skipped
        elif skipped < 0:
            strangers = 0 if _add(now, line) else strangers + 1
            another = head is not None and head["kind"].endswith(("Exception", "Error"))
            if now.frames and strangers and (another or strangers > _BACK):
                break
    return sections, wrapped


def _add(now: _Section, line: str) -> bool:
    """Add a line to its exception; say whether it is of its stack."""
    if (place := _FRAME.match(line)) is not None:
        now.frames.append(_frame(place["name"], place["method"], place["place"]))
    elif (left_out := _MORE.match(line)) is not None:
        now.more = int(left_out["count"])
    else:
        if not now.frames and len(now.message) < MAX_MESSAGE:
            now.message += f"\n{line}"
        return False
    return True


def _headline(lines: list[str]) -> tuple[str, str]:
    for at in reversed(range(len(lines))):
        head = _HEADER.match(lines[at])
        if head is None or not ("." in head["kind"] or head["kind"].endswith(("Exception", "Error", "Throwable"))):
            head = _WITHIN.search(lines[at])
        if head is not None:
            return head["kind"], "\n".join([head["message"] or "", *lines[at + 1 :]])
    return "", lines[-1] if lines else ""


def _frame(name: str, method: str, place: str) -> dict[str, Any]:
    module, function, in_app = _named(name, method)
    file, _, line = place.partition(":")
    file = "" if " " in file or file.startswith("<") or "." not in file else file
    path = f"{module.replace('.', '/')}/{file}" if module and file else file
    return frame(path, function, line if line.isdecimal() else 0, in_app=in_app, module=module)


@lru_cache(2048)
def _named(name: str, method: str) -> tuple[str, str, bool]:
    """Return package, ``Class.method`` without the compiler's counters, and whether they are the application's."""
    module, _, kind = name.rpartition(".")
    in_app = not (name.startswith(_LIBRARY) or _GENERATED.search(name))
    kind = _COUNTER.sub("", _GENERATED.split(kind, maxsplit=1)[0] or kind)
    if (read := _LAMBDA.match(method)) is not None:
        method = method[read.end() :]
        method = {"new": "<init>", "static": "<clinit>"}.get(method.partition("$")[0], method)
    method = _COUNTER.sub("", method).removeprefix("access$")
    return module, f"{_SEPARATORS.sub('.', kind).strip('.')}.{method.replace('.', '') or 'lambda'}", in_app
