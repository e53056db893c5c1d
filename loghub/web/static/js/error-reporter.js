/*
 * A page's errors go to loghub: installGlobalErrorHandler(component) for those that nobody catches, reportError() for
 * the others. docs/browser.md tells how to use it and what is sent.
 *
 * What is thrown may be anything, and the server may be down: nothing in here throws, rejects or hears itself.
 */
(function () {
  "use strict";

  if (self.installGlobalErrorHandler?.loghub) return; // the script tag stands twice

  const MAX_BYTES = 60000; // the server takes 64 KiB, and a browser no more at once from a page that is left
  const MAX_ROOM = 40000; // characters in all that is sent of an error
  const MAX_TEXT = 12000; // of one text in it
  const MAX_MESSAGE = 2000;
  const MAX_NAME = 100;
  const MAX_KEYS = 50;
  const MAX_DEPTH = 6;
  const MAX_CAUSES = 5;
  const MAX_A_MINUTE = 20;
  const MAX_KNOWN = 100;
  const MAX_WAITING = 30;
  const MAX_TRIES = 5;
  const MINUTE = 60000;
  const REPEATS_AFTER = 30000;
  const TIMEOUT = 10000;

  const EXTENSION = /-extension:\/\/|webkit-masked-url:/;
  const NOISE = /^(ResizeObserver loop|Script error\.?$)/; // a frame that came late; another origin's error, muted
  const SAID = /^(?:Uncaught )?(?:(\w*(?:Error|Exception)): )?([^]*)$/;
  const ADDRESS = /^https?:/;
  const QUERY = /(:\/\/[^\s?#()]{0,2000})[?#][^\s()'"]{0,4000}?(?=(:\d+){0,2}([\s()'",]|$))/g;

  const { document, location, navigator } = self;
  const script = document?.currentScript;
  const told = script?.dataset || {};
  const post = self.fetch?.bind(self); // as it is now: the page may wrap it, and report what fails in there
  const builtIn = self.reportError;
  const endpoint = endpointOf();

  function endpointOf() {
    try {
      const source = new URL(script?.src || location);
      const prefix = /^(.*)\/static\/js\/[^/]*$/.exec(source.pathname)?.[1] || "";
      const { href } = new URL(told.endpoint || source.origin + prefix + "/api/report-error", document?.baseURI);
      return ADDRESS.test(href) && href;
    } catch {} // of a page without an address (file:, data:) there is nobody to tell
  }

  // -- Reading what may be hostile: a getter that throws, a revoked proxy, a window of another origin, a cycle

  function safely(does, otherwise) {
    try {
      return does();
    } catch {
      return otherwise;
    }
  }

  const get = (object, name) => safely(() => object[name]);
  const words = (value, most = MAX_MESSAGE) => safely(() => String(value).slice(0, most), "[unreadable]");
  const isA = (value, name) => safely(() => value instanceof self[name]);
  const isList = (value) => safely(() => Array.isArray(value) || ArrayBuffer.isView(value));
  const few = (list) => list.slice(0, MAX_KEYS);
  const keysOf = (value) => safely(() => few(Object.keys(isList(value) ? few(value) : value)), []);
  const withoutQueries = (text) => text.replace(QUERY, "$1");

  /** Returns a copy that JSON can hold, of about `room.left` characters; `above` is what it lies in. */
  function plain(value, room, above = []) {
    if ((room.left -= 4) < 0 || typeof value === "function") return undefined;
    if (value == null || typeof value === "boolean" || Number.isFinite(value)) return value;
    const isWhole = isA(value, "Error") || get(value, "nodeType") || get(value, "window") === value;
    if (typeof value === "object" && !isWhole) {
      if (above.includes(value) || above.length > MAX_DEPTH) return "[...]";
      const keys = keysOf(value);
      if (isList(value) || keys.length || words(value) === "[object Object]") {
        const copy = isList(value) ? [] : {};
        for (const key of keys) {
          const name = key.slice(0, MAX_NAME);
          room.left -= name.length;
          copy[name] = plain(get(value, key), room, [...above, value]);
        }
        return copy;
      }
    }
    const text = words(value, Math.min(MAX_TEXT, room.left));
    room.left -= text.length;
    return text;
  }

  // -- What an error is

  function typeOf(value, otherwise) {
    const own = get(value, "name");
    const name = typeof own === "string" && own;
    if (name && name !== "Error") return name;
    const ofClass = words(get(get(value, "constructor"), "name") ?? "");
    // A minifier's name is another one in each build.
    return ofClass.length > 2 && ofClass !== "Object" ? ofClass : name || otherwise;
  }

  function place(element) {
    const tag = get(element, "tagName");
    const address = get(element, "src") || get(element, "href") || "";
    return tag ? `<${words(tag).toLowerCase()}> ${words(address)}` : words(element);
  }

  /** Returns type, message and stack of anything; `kind` is the type of what has none. */
  function describe(thrown, kind = "Error") {
    if (isA(thrown, "Event")) {
      thrown = get(thrown, "error") ?? get(thrown, "reason") ?? get(thrown, "message") ?? thrown;
    }
    let type = typeOf(thrown, kind);
    let message = get(thrown, "message");
    let stack = words(get(thrown, "stack") ?? "", Infinity);
    if (typeof message === "string") {
      // Chrome's stack says it again, and a long one would push the frames out.
      if (message.length > MAX_MESSAGE) stack = stack.replace(message, () => words(message));
    } else if (isA(thrown, "Event")) {
      message = `${words(get(thrown, "type"))} of ${place(get(thrown, "target"))}`;
    } else if (Object(thrown) === thrown) {
      const keys = keysOf(thrown).sort(); // the values may be secret, and differ each time
      message = keys.length ? "an object with " + keys.join(", ") : words(thrown);
    } else {
      [, type = kind, message] = SAID.exec(words(thrown));
    }
    const clean = (text, most) => withoutQueries(words(text, most));
    return { error_type: words(type, MAX_NAME), error_message: clean(message), stack: clean(stack, MAX_TEXT) };
  }

  function causesOf(error) {
    const causes = [];
    while (causes.length < MAX_CAUSES && (error = get(error, "cause") ?? get(get(error, "errors"), 0)) != null) {
      causes.push(describe(error));
    }
    return causes;
  }

  function pageUrl() {
    const [address, query = ""] = location.href.split("#")[0].split("?");
    const names = query.split("&").flatMap((each) => /^[^=]*=/.exec(each) || []);
    return words(address + (names[0] ? "?" : "") + names.join("&"));
  }

  function errorInfo(thrown, { component, context, kind, at = "" }) {
    const { stack, ...error } = describe(thrown, kind);
    const more = plain(context, { left: MAX_ROOM });
    return plain({
      ...error,
      source_component: words(component || settings?.component || "browser", MAX_NAME),
      release: told.release || document?.querySelector("meta[name=release]")?.content,
      stack: (stack || at).split("\n").filter((line) => !EXTENSION.test(line)).join("\n"),
      context: {
        url: pageUrl(),
        user_agent: navigator.userAgent,
        viewport: `${self.innerWidth}x${self.innerHeight}`,
        ...(typeof more === "object" ? more : { context: more }),
      },
      causes: causesOf(thrown),
    }, { left: MAX_ROOM });
  }

  // -- How often: the same error once, then by number; and not more than so many a minute

  const promises = new WeakMap(); // by error: thrown on, or rejected by several promises, it is one occurrence still
  const known = new Map(); // by what makes an error the same
  const nothing = Promise.resolve(null);
  const now = () => performance.now();
  let minute = -MINUTE;
  let used;
  let dropped = 0; // not told yet
  let busy; // an error's own getter, or a listener of the page, may report

  function report(thrown, how) {
    if (busy || !endpoint) return nothing;
    return alone(() => {
      if (Object(thrown) !== thrown) return count(errorInfo(thrown, how));
      if (!promises.has(thrown)) promises.set(thrown, count(errorInfo(thrown, how)));
      return promises.get(thrown);
    });
  }

  function alone(does) {
    busy = true;
    try {
      return does();
    } finally {
      busy = false;
    }
  }

  function mayTell() {
    if (now() - minute >= MINUTE) {
      minute = now();
      used = 0;
    }
    return used++ < MAX_A_MINUTE;
  }

  function count(info) {
    const { error_type, error_message, source_component, stack } = info;
    const same = [error_type, error_message, source_component, ...stack.split("\n", 4)].join("\n");
    const before = known.get(same);
    if (before) {
      before.repeats++;
      return before.promise;
    }
    if (known.size >= MAX_KNOWN || !mayTell()) {
      dropped++;
      return nothing;
    }
    const entry = { info, repeats: 0, promise: enqueue(info) };
    known.set(same, entry);
    const look = () => {
      if (!entry.repeats) return known.delete(same);
      if (mayTell()) tellRepeats(entry);
      setTimeout(look, REPEATS_AFTER);
      deliver();
    };
    setTimeout(look, REPEATS_AFTER);
    nothing.then(deliver); // with a stack of its own: the error may be that the page's is full
    return entry.promise;
  }

  function tellRepeats(entry) {
    enqueue({ ...entry.info, count: entry.repeats });
    entry.repeats = 0;
  }

  // -- Delivery: one at a time, later again; what waits when the page is left goes by beacon

  const waiting = [];
  let sending;
  let gone; // since the last request was sent
  let failures = 0;
  let pausedUntil = 0;
  let refused; // the pause is what the server has asked for

  const isOffline = () => navigator.onLine === false;

  function enqueue(info) {
    return new Promise((resolve) => {
      const report = { info: { timestamp: new Date().toISOString(), ...info }, resolve, tries: 0 };
      if (waiting.length < MAX_WAITING) return waiting.push(report);
      drop(info);
      resolve(null);
    });
  }

  function drop(info) {
    dropped += info.count || 1;
  }

  function bodyOf(info, dropped, key) {
    for (let left = MAX_ROOM; ; left /= 2) {
      const body = JSON.stringify({ error_info: plain({ key, dropped, ...info }, { left }) });
      if (new Blob([body]).size < MAX_BYTES) return body;
    }
  }

  async function deliver() {
    if (sending) return;
    sending = true;
    if (!post) safely(leave);
    while (post && waiting.length && !isOffline() && now() >= pausedUntil) await send(waiting.shift());
    sending = false;
    waiting.forEach((each) => each.resolve(null)); // it may take hours: whoever awaits the URL goes on
  }

  async function send(report) {
    let telling = dropped, timer, answer;
    gone = dropped = 0; // a beacon that goes meanwhile tells the rest
    try {
      const abort = new AbortController();
      timer = setTimeout(() => abort.abort(), TIMEOUT);
      answer = await post(endpoint, {
        method: "POST",
        headers: { "Content-Type": "application/json", ...(told.key && { "X-Loghub-Key": told.key }) },
        body: bodyOf(report.info, telling),
        keepalive: true,
        referrerPolicy: "origin", // the page's address may hold secrets
        signal: abort.signal,
      });
      if (answer.ok) {
        failures = 0;
        const url = (await answer.json()).issue_url;
        if (ADDRESS.test(url)) report.resolve(url);
      }
    } catch {} // offline, blocked, too slow; or the answer is no JSON
    clearTimeout(timer);
    report.resolve(null);
    if (!answer && gone) return; // Chrome calls a failure what it still sends for a page that is left
    if (!answer?.ok) dropped += telling;
    if (answer?.status < 500 && answer.status !== 429) return; // taken, or never to be
    refused = answer && (answer.headers.get("Retry-After") || (answer.status === 429 && 60));
    const pause = Math.min(refused ? (refused > 0 ? refused : 60) : 10 * 2 ** failures++, 3600) * 1000;
    pausedUntil = now() + pause;
    setTimeout(deliver, pause + 1);
    if (++report.tries < MAX_TRIES) waiting.unshift(report);
    else drop(report.info);
  }

  function leave(event) {
    gone ||= event; // visibilitychange and deliver give none: the page may live on
    known.forEach((entry) => entry.repeats && tellRepeats(entry));
    while (waiting.length && !isOffline() && !(refused && now() < pausedUntil)) {
      // There is no time for a preflight, so a beacon has no header: the key goes inside.
      if (!navigator.sendBeacon(endpoint, bodyOf(waiting[0].info, dropped, told.key))) return;
      dropped = 0;
      waiting.shift().resolve(null);
    }
  }

  // -- Hearing

  let settings;

  function hear(type, does) {
    addEventListener(type, (event) => safely(() => does(event)), true);
  }

  function hearError({ target, error, message, filename, lineno, colno }) {
    if (target !== self && get(target, "tagName")) {
      const what = `Could not load ${place(target)}`;
      if (settings.resources && !EXTENSION.test(what)) report(what, { kind: "ResourceError" });
    } else if (typeof message === "string" && !(error == null && NOISE.test(message))) {
      unlessOfExtension(error ?? message, { at: filename ? withoutQueries(`    at ${filename}:${lineno}:${colno}`) : "" });
    }
  }

  function unlessOfExtension(thrown, how) {
    const lines = words(get(thrown, "stack") || how.at, MAX_TEXT).split("\n");
    if (!EXTENSION.test(lines.find((line) => /:\d+\)?$/.test(line)))) report(thrown, how);
  }

  /**
   * Reports what nobody catches from now on. A second call changes the component and the options.
   *
   * @param {string} component - what the issues are labelled with, for example "dashboard"
   * @param {{resources?: boolean}} [options] - resources: also what could not be loaded (images, scripts, style sheets)
   */
  function installGlobalErrorHandler(component, options) {
    const before = settings;
    settings = { component, resources: get(options, "resources") };
    if (before) return;
    hear("error", hearError); // those of resources do not bubble
    hear("unhandledrejection", ({ reason }) => unlessOfExtension(reason, { kind: "UnhandledRejection" }));
  }

  /**
   * Reports an error that was caught.
   *
   * @param {{error: *, sourceComponent?: string, context?: object}} options - or only the error, as the function of the
   *   same name takes it that browsers have: the console and other listeners then hear of it, too
   * @returns {Promise<string|null>} the issue's URL, where the server knows it; it is never rejected
   */
  function reportError(options) {
    try {
      if (typeof get(options, "message") !== "string" && keysOf(options).includes("error")) {
        const { error, sourceComponent: component, context } = options;
        return report(error, { component, context });
      }
      const promise = report(options, {});
      if (builtIn && !busy) alone(() => builtIn(options));
      return promise;
    } catch {
      return nothing;
    }
  }

  installGlobalErrorHandler.loghub = true;
  self.installGlobalErrorHandler = installGlobalErrorHandler;
  self.reportError = reportError;
  hear("online", () => {
    if (!refused) pausedUntil = 0;
    deliver();
  });
  hear("pagehide", leave);
  hear("visibilitychange", () => document.hidden && leave());
})();
