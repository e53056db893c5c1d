// What is heard, what is left out, and how often it is told.

import assert from "node:assert/strict";
import test from "node:test";

import { Page, settled } from "./page.mjs";

function installed(options) {
  const page = new Page(options);
  page.run(`installGlobalErrorHandler("dashboard")`);
  return page;
}

const boom = (page, text = "boom") => page.run(`new Error(${JSON.stringify(text)})`);

test("Two global functions are defined, and nothing else.", () => {
  const page = new Page({ without: ["reportError"] });
  const added = Object.keys(page.window).filter((name) => !page.before.includes(name));
  assert.deepEqual(added.sort(), ["installGlobalErrorHandler", "reportError"]);
});

test("Installed twice, or loaded twice, an error is told once; the last component counts.", async () => {
  const page = installed();
  page.load();
  page.run(`installGlobalErrorHandler("cart")`);
  await page.uncaught(boom(page));
  await page.fire("unhandledrejection", { reason: "gone" });
  assert.deepEqual(page.infos.map((info) => info.source_component), ["cart", "cart"]);
  await page.pass(120000);
  assert.equal(page.requests.length, 2);
});

test("Nothing is heard before it is installed; reportError works without.", async () => {
  const page = new Page();
  await page.uncaught(boom(page));
  assert.equal(page.requests.length, 0);
  assert.equal(await page.run(`reportError({ error: new Error("x") })`), "https://github.example/issues/1");
  assert.equal(page.infos[0].source_component, "browser");
});

test("Extensions, other origins' muted errors and late frames are left out.", async () => {
  const page = installed();
  const of = (stack) => Object.assign(boom(page), { stack });
  await page.fire("error", { error: null, message: "Script error.", filename: "", lineno: 0, colno: 0 });
  await page.fire("error", { message: "ResizeObserver loop limit exceeded" });
  await page.fire("error", { message: "ResizeObserver loop completed with undelivered notifications." });
  await page.uncaught(of("Error: boom\n    at f (chrome-extension://abc/a.js:1:2)\n    at g (https://shop.example/app.js:1:2)"));
  await page.uncaught(of("f@moz-extension://abc/a.js:1:2\ng@https://shop.example/app.js:1:2"));
  await page.fire("unhandledrejection", { reason: of("f@safari-web-extension://abc/a.js:1:2") });
  await page.fire("unhandledrejection", { reason: of("@webkit-masked-url://hidden/:1:2") });
  await page.fire("error", { error: null, message: "Uncaught x", filename: "chrome-extension://abc/a.js", lineno: 1, colno: 2 });
  await page.fire("error"); // an event of the page's own by that name
  assert.equal(page.requests.length, 0);
});

test("An error that only speaks of such things is told.", async () => {
  const page = installed();
  await page.fire("error", { error: boom(page, "ResizeObserver loop"), message: "ResizeObserver loop" });
  assert.equal(page.requests.length, 1);
});

test("Errors are heard before they come to their element, as those of resources do not bubble.", () => {
  const page = installed();
  assert.equal(page.listeners.find((each) => each.type === "error").capture, true);
});

test("Of an error in the page's code the frames of an extension that called it are left out.", async () => {
  const page = installed();
  const stack = "Error: boom\n    at f (https://shop.example/app.js:1:2)\n    at g (chrome-extension://abc/a.js:1:2)";
  await page.uncaught(Object.assign(boom(page), { stack }));
  assert.equal(page.infos[0].stack, "Error: boom\n    at f (https://shop.example/app.js:1:2)");
});

test("What could not be loaded is told when it is asked for.", async () => {
  const page = installed();
  const lost = { target: { tagName: "IMG", src: "https://cdn.example/a.png?sig=1" } };
  await page.fire("error", lost);
  assert.equal(page.requests.length, 0);
  page.run(`installGlobalErrorHandler("dashboard", { resources: true })`);
  await page.fire("error", lost);
  await page.fire("error", { target: { tagName: "LINK", href: "chrome-extension://abc/a.css" } });
  await page.fire("error", { target: { tagName: "SCRIPT" } });
  assert.deepEqual(page.infos.map((info) => [info.error_type, info.error_message]), [
    ["ResourceError", "Could not load <img> https://cdn.example/a.png"],
    ["ResourceError", "Could not load <script> "],
  ]);
});

test("The same error is told once, then by number every half minute, as long as it comes.", async () => {
  const page = installed();
  const again = page.run(`() => { const wrap = (n) => n ? wrap(n - 1) : new Error("boom"); return wrap(5) }`);
  for (let n = 0; n < 8; n++) await page.uncaught(again());
  assert.equal(page.requests.length, 1);
  await page.pass(30000);
  assert.deepEqual(page.infos.map((info) => info.count), [undefined, 7]);
  assert.equal(page.infos[1].error_message, "boom");
  await page.pass(60000);
  assert.equal(page.requests.length, 2);
  await page.uncaught(again());
  assert.deepEqual(page.infos.map((info) => info.count), [undefined, 7, undefined]);
});

test("An error that is caught, reported and thrown on is one occurrence.", async () => {
  const page = installed();
  page.run(`globalThis.caught = new Error("boom"); globalThis.first = reportError({ error: caught })`);
  await page.uncaught(page.window.caught);
  await page.fire("unhandledrejection", { reason: page.window.caught });
  await page.pass(60000);
  assert.equal(page.requests.length, 1);
  assert.equal(page.run(`first === reportError({ error: caught })`), true);
});

test("No more than twenty a minute are told, and then how many were not.", async () => {
  const page = installed();
  for (let n = 0; n < 25; n++) await page.uncaught(boom(page, `boom ${n}`));
  assert.equal(page.requests.length, 20);
  await page.pass(61000);
  await page.uncaught(boom(page, "after"));
  await page.uncaught(boom(page, "later"));
  assert.deepEqual(page.infos.slice(19).map((info) => info.dropped), [0, 5, 0]);
});

test("Numbers count towards the twenty, and come later where there are more.", async () => {
  const page = installed();
  const again = page.run(`(text) => ({ message: text, stack: "" })`);
  for (let n = 0; n < 20; n++) for (let twice = 0; twice < 2; twice++) await page.uncaught(again(`boom ${n}`));
  await page.pass(59000);
  assert.equal(page.requests.length, 20);
  await page.pass(31000);
  assert.equal(page.requests.length, 40);
  assert.equal(page.infos.at(-1).count, 1);
});

test("reportError takes an error alone, as the browser's own does, which hears of it, too.", async () => {
  const page = installed();
  page.window.reportErrorHeard = [];
  assert.equal(await page.run(`reportError(new TypeError("alone"))`), "https://github.example/issues/1");
  page.run(`reportError("words"); reportError({ error: null }); reportError(); reportError(null); reportError({ code: 7 })`);
  await settled();
  const messages = ["alone", "words", "null", "undefined", "an object with code"];
  assert.deepEqual(page.infos.map((info) => info.error_message), messages);
  assert.deepEqual(page.heard.map(String), ["TypeError: alone", "words", "undefined", "null", "[object Object]"]);
});

test("The event that the browser's own reportError fires is not told again.", async () => {
  const page = new Page({ without: ["reportError"] });
  page.window.reportError = (error) => page.uncaught(error);
  page.window.installGlobalErrorHandler = undefined;
  page.load();
  page.run(`installGlobalErrorHandler("dashboard"); reportError("words")`);
  await page.pass(60000);
  assert.equal(page.requests.length, 1);
});

test("An error whose own text reports errors ends.", async () => {
  const page = installed();
  page.run(`
    const error = { toString() { reportError(this); throw this }, get message() { return reportError(this) } };
    Object.defineProperty(error, "stack", { get() { reportError({ error: this }); return "" } });
    globalThis.caught = error;
  `);
  await page.fire("error", { error: page.window.caught, message: "Uncaught" });
  await page.fire("unhandledrejection", { reason: page.window.caught });
  assert.equal(page.requests.length, 1);
});

test("Reported where the stack is full, an error is told or not, and those after it are told.", async () => {
  const page = installed();
  page.run(`
    let left = 100; // from where there is no room at all to where there is enough
    const tell = () => { try { reportError({ error: new Error("full") }) } catch {} };
    const full = () => { try { full() } catch (error) { if (left-- > 0) tell(); throw error } };
    try { full() } catch {}
    try { full() } catch (error) { globalThis.caught = error }
  `);
  await page.uncaught(page.window.caught);
  assert.equal(await page.run(`reportError({ error: "end" })`), "https://github.example/issues/1");
  assert.equal(page.infos.at(-1).error_message, "end");
});

test("Without what a browser may lack, nothing is thrown.", async () => {
  const parts = ["fetch", "AbortController", "Blob", "URL", "Event", "document", "reportError", "sendBeacon", "currentScript"];
  for (const without of [...parts.map((part) => [part]), parts]) {
    const page = installed({ without });
    await page.uncaught(boom(page));
    page.run(`globalThis.result = reportError({ error: new Error("x") })`);
    await page.pass(600000);
    await page.fire("pagehide");
    const url = await Promise.race([page.window.result, settled().then(() => "never")]);
    assert.ok(url === null || url === "https://github.example/issues/1", String(without));
  }
});

test("A page without an address has nobody to tell, and is left alone.", async () => {
  const page = installed({ src: "file:///home/ann/static/js/error-reporter.js", href: "file:///home/ann/page.html" });
  await page.uncaught(boom(page));
  assert.equal(await page.run(`reportError({ error: "x" })`), null);
  assert.equal(page.requests.length, 0);
});
