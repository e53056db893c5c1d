// A page for the reporter without a browser: its clock, its server and its listeners are the test's.

import fs from "node:fs";
import vm from "node:vm";

const SOURCE = fs.readFileSync(new URL("../../../loghub/web/static/js/error-reporter.js", import.meta.url), "utf8");

export class Page {
  constructor({ src = "https://shop.example/static/js/error-reporter.js", data = {}, href, release, without = [] } = {}) {
    this.listeners = [];
    this.requests = []; // {url, headers, info, bytes, abort}
    this.beacons = []; // {url, info}
    this.heard = []; // what the browser's own reportError was given
    this.timers = [];
    this.time = 0;
    this.answer = () => ({ status: 200, body: { success: true, issue_url: "https://github.example/issues/1" } });
    const listen = (type, listener, capture) => this.listeners.push({ type, listener, capture });
    const window = {
      addEventListener: listen,
      document: {
        addEventListener: listen,
        currentScript: { src, dataset: data },
        baseURI: href ?? "https://shop.example/cart",
        hidden: false,
        querySelector: () => (release ? { content: release } : null),
      },
      location: new URL(href ?? "https://shop.example/cart"),
      navigator: {
        userAgent: "Firefox/1",
        onLine: true,
        sendBeacon: (url, body) => {
          this.beacons.push({ url, info: JSON.parse(body).error_info });
          return true;
        },
      },
      innerWidth: 360,
      innerHeight: 640,
      fetch: (url, options) => this.request(url, options),
      reportError: (error) => this.heard.push(error),
      performance: { now: () => this.time },
      setTimeout: (does, wait) => this.timers.push({ does, at: this.time + wait }),
      clearTimeout: (number) => delete this.timers[number - 1],
      Event: class Event {},
      URL, Blob, AbortController,
    };
    window.self = window.window = window;
    for (const name of without) [window, window.navigator, window.document].forEach((each) => delete each?.[name]);
    this.window = vm.createContext(window);
    this.before = Object.keys(window);
    this.load();
  }

  load() {
    vm.runInContext(SOURCE, this.window);
  }

  run(code) {
    return vm.runInContext(code, this.window);
  }

  request(url, options) {
    const asked = { url, ...options, bytes: Buffer.byteLength(options.body), info: JSON.parse(options.body).error_info };
    this.requests.push(asked);
    const told = this.answer(asked);
    if (told instanceof Error) return Promise.reject(told);
    if (told === "hang") {
      return new Promise((_, reject) => options.signal.addEventListener("abort", () => reject(new Error("aborted"))));
    }
    return Promise.resolve(told).then(({ status, headers, body }) => {
      const json = async () => JSON.parse(JSON.stringify(body));
      return { ok: status < 300, status, headers: new Headers(headers), json };
    });
  }

  /** Tells the page's listeners of an event. */
  async fire(type, event = {}) {
    for (const each of this.listeners) if (each.type === type) each.listener({ type, target: this.window, ...event });
    await settled();
  }

  /** An error that nobody has caught. */
  uncaught(error, more = {}) {
    return this.fire("error", { error, message: `Uncaught ${error}`, ...more });
  }

  /** Lets time pass; what is due by then is done. */
  async pass(milliseconds) {
    await settled();
    const end = this.time + milliseconds;
    for (;;) {
      const due = this.timers.filter((each) => each && each.at <= end).sort((one, other) => one.at - other.at)[0];
      if (!due) break;
      delete this.timers[this.timers.indexOf(due)];
      this.time = due.at;
      due.does();
      await settled();
    }
    this.time = end;
  }

  get infos() {
    return this.requests.map((each) => each.info);
  }
}

/** Returns when nothing is left to do but wait for timers. */
export async function settled() {
  for (let turn = 0; turn < 3; turn++) await new Promise((done) => setImmediate(done));
}
