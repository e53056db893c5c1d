// What is told of an error, whatever was thrown.

import assert from "node:assert/strict";
import test from "node:test";

import { Page, settled } from "./page.mjs";

/** Returns what is told of the value of an expression in the page that is reported by hand. */
async function told(expression, options) {
  const page = new Page(options);
  page.run(`reportError({ error: ${expression}, sourceComponent: "cart" })`);
  await settled();
  assert.equal(page.requests.length, 1, expression);
  return page.infos[0];
}

test("An error is told by type, message, component and stack; the page by address, browser, size and release.", async () => {
  const page = new Page({ href: "https://shop.example/cart?token=s3cret&page=2&bare#frag", release: "2026.11" });
  page.run(`installGlobalErrorHandler("dashboard")`);
  await page.uncaught(page.run(`
    function addToCart() { return undefined.items }
    try { addToCart() } catch (error) { globalThis.caught = error }
    caught`));
  const [{ timestamp, stack, ...info }] = page.infos;
  assert.match(timestamp, /^\d{4}-\d\d-\d\dT.*Z$/);
  assert.match(stack, /^TypeError: Cannot read .*\n    at addToCart \(/);
  assert.deepEqual(info, {
    dropped: 0,
    error_type: "TypeError",
    error_message: "Cannot read properties of undefined (reading 'items')",
    source_component: "dashboard",
    release: "2026.11",
    context: { url: "https://shop.example/cart?token=&page=", user_agent: "Firefox/1", viewport: "360x640" },
    causes: [],
  });
});

test("Whatever is thrown has a type and a message that say what it is.", async () => {
  const cases = [
    [`new RangeError("page 7 of 3")`, "RangeError", "page 7 of 3"],
    [`new (class PaymentError extends Error {})("declined")`, "PaymentError", "declined"],
    [`new (class t extends Error {})("of a minifier")`, "Error", "of a minifier"],
    [`Object.assign(new Error("declined"), { name: "CardError" })`, "CardError", "declined"],
    [`"no reading"`, "Error", "no reading"],
    [`"Uncaught TypeError: x is not a function"`, "TypeError", "x is not a function"],
    [`"two\\nlines"`, "Error", "two\nlines"],
    [`null`, "Error", "null"],
    [`undefined`, "Error", "undefined"],
    [`404`, "Error", "404"],
    [`10n`, "Error", "10"],
    [`Symbol("gone")`, "Error", "Symbol(gone)"],
    [`{ detail: "hunter2", code: 7 }`, "Error", "an object with code, detail"],
    [`{ message: "no such order", code: 7 }`, "Error", "no such order"],
    [`new (class OrderGone { constructor() { this.order = 7 } })`, "OrderGone", "an object with order"],
    [`Object.create(null)`, "Error", "[unreadable]"],
    [`[1, 2]`, "Array", "an object with 0, 1"],
    [`Object.assign(new Event, { type: "error", target: { tagName: "IMG", src: "https://cdn.example/a.png?sig=1" } })`,
      "Event", "error of <img> https://cdn.example/a.png"],
    [`Object.assign(new Event, { type: "error", message: "Uncaught TypeError: in a worker" })`, "TypeError", "in a worker"],
    [`Object.assign(new Event, { type: "error", error: new RangeError("inner") })`, "RangeError", "inner"],
    [`Object.assign(new Event, { reason: "rejected" })`, "Error", "rejected"],
  ];
  for (const [expression, type, message] of cases) {
    const page = new Page();
    page.run(`reportError({ error: ${expression}, sourceComponent: "cart" })`);
    await settled();
    const info = page.infos[0];
    assert.deepEqual([info.error_type, info.error_message], [type, message], expression);
  }
});

test("What was rejected without an error is an UnhandledRejection.", async () => {
  const page = new Page();
  page.run(`installGlobalErrorHandler("dashboard")`);
  for (const reason of ["gone", undefined, { code: 7 }]) await page.fire("unhandledrejection", { reason });
  await page.fire("unhandledrejection", { reason: page.run(`new TypeError("gone")`) });
  assert.deepEqual(page.infos.map((info) => [info.error_type, info.error_message]), [
    ["UnhandledRejection", "gone"],
    ["UnhandledRejection", "undefined"],
    ["UnhandledRejection", "an object with code"],
    ["TypeError", "gone"],
  ]);
});

test("Causes are told from the nearest to the fifth, even of an error that is its own cause.", async () => {
  const chain = await told(`new Error("outer", { cause: new TypeError("inner", { cause: "told" }) })`);
  assert.deepEqual(chain.causes.map((each) => `${each.error_type}: ${each.error_message}`), ["TypeError: inner", "Error: told"]);
  assert.match(chain.causes[0].stack, /^TypeError: inner\n/);
  assert.equal((await told(`(() => { const error = new Error("own"); error.cause = error; return error })()`)).causes.length, 5);
  assert.equal((await told(`new AggregateError([new RangeError("first"), 2], "all")`)).causes[0].error_message, "first");
});

test("What is hostile is told as far as it can be read, and nothing is thrown.", async () => {
  const revoked = `(() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy })()`;
  const trap = `new Proxy({}, { get() { throw 1 }, ownKeys() { throw 2 }, getPrototypeOf() { throw 3 }, has() { throw 4 } })`;
  for (const each of [
    revoked, trap,
    `new Proxy(function () {}, { get() { throw 1 } })`,
    `{ toString() { throw new Error } }`,
    `{ get message() { throw new Error }, get stack() { throw new Error } }`,
    `Object.defineProperty(new Error("x"), "stack", { get() { throw new Error } })`,
    `Object.defineProperty(new Error("x"), "name", { value: { toString() { throw new Error } } })`,
    `Object.assign(new Error("x"), { name: Symbol(), stack: Symbol() })`,
    `Object.assign(new Error("x"), { cause: ${revoked} })`,
    `{ message: "x", stack: ${trap} }`,
    `() => {}`,
  ]) {
    const info = await told(each);
    assert.equal(typeof info.error_type, "string", each);
    assert.equal(typeof info.error_message, "string", each);
    assert.equal(typeof info.stack, "string", each);
  }
});

test("The context is copied, whatever is in it; what cannot be read is left out.", async () => {
  const page = new Page();
  page.run(`
    const context = {
      text: "a", number: 1.5, nothing: null, missing: undefined, yes: true, nan: NaN, big: 10n, call() {},
      list: [1, [2]], bytes: new Uint8Array([1, 2]), many: new Float64Array(1e7), when: new Date(0), failed: Object.assign(new TypeError("x"), { code: 7 }), ["k".repeat(500)]: 1, map: new Map, none: {}, "": "empty",
      node: { nodeType: 1, toString: () => "[object HTMLElement]", __reactFiber: {} },
      get bad() { throw new Error },
      toJSON() { throw new Error },
    };
    context.self = context;
    context.window = { toString() { throw new Error } };
    context.window.window = context.window;
    context.gone = (() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy })();
    reportError({ error: "x", context });
  `);
  await settled();
  const { url, user_agent, viewport, when, many, ...context } = page.infos[0].context;
  assert.match(when, /1970/);
  assert.equal(many.length, 50);
  assert.deepEqual(context, {
    text: "a", number: 1.5, nothing: null, yes: true, nan: "NaN", big: "10",
    ["k".repeat(100)]: 1, list: [1, [2]], bytes: [1, 2], failed: "TypeError: x", map: "[object Map]", none: {}, "": "empty",
    node: "[object HTMLElement]", self: "[...]", window: "[unreadable]", gone: "[unreadable]",
  });
});

test("A context that is no object is kept; an error as context is no list of letters.", async () => {
  const page = new Page();
  page.run(`reportError({ error: "a", context: "in the cart" }); reportError({ error: "b", context: new Error("c") });
            reportError({ error: "c", context: null })`);
  await settled();
  assert.deepEqual(page.infos.map((info) => info.context.context), ["in the cart", "Error: c", undefined]);
  assert.equal("0" in page.infos[1].context, false);
});

test("However much is said, in whatever letters, the body has less than 60,000 bytes and begins with the error.", async () => {
  for (const letter of ["a", "é", "漢", "🙂", "\\u0000", "\\ud800", '\\"']) {
    const long = `"${letter}".repeat(1e6)`;
    const page = new Page();
    page.run(`
      const error = new Error(${long}, { cause: new Error(${long}) });
      const wide = {}; for (let n = 0; n < 1e4; n++) wide["${letter}".repeat(300) + n] = ${letter === "a" ? "wide" : "n"};
      const deep = [wide, wide, wide];
      reportError({ error, sourceComponent: ${long}, context: { long: ${long}, wide, deep, list: Array(1e6).fill(deep) } });
    `);
    await settled();
    assert.ok(page.requests[0].bytes < 60000, letter);
    assert.equal(page.infos[0].error_type, "Error");
    assert.ok(page.infos[0].error_message.length >= 1000, letter);
  }
});

test("A message that Chrome repeats in the stack does not push the frames out.", async () => {
  const info = await told(`(() => { const failed = () => new Error("$&".repeat(1e5)); return failed() })()`);
  assert.match(info.stack, /\n    at failed /);
});

test("Addresses lose their queries and fragments in messages and stacks, and keep line and column.", async () => {
  const page = new Page();
  page.run(`installGlobalErrorHandler("dashboard")`);
  await page.uncaught({
    message: "no answer from https://api.example/v1?key=s3cret (tried 'https://b.example/#s3cret')",
    stack: "load@https://shop.example/reset?token=s3cret:4:12\n    at load (https://shop.example/app.js?v=s3cret#s3cret:10:5)",
  });
  assert.equal(page.infos[0].error_message, "no answer from https://api.example/v1 (tried 'https://b.example/')");
  assert.equal(page.infos[0].stack, "load@https://shop.example/reset:4:12\n    at load (https://shop.example/app.js:10:5)");
});

test("Texts that are made to be slow for the patterns are not.", { timeout: 20000 }, async () => {
  for (const text of ["://".repeat(5000), "://x?".repeat(3000), "a".repeat(1e6), "://x?:1:1:1".repeat(2000), "Error: ".repeat(1e5)]) {
    const page = new Page();
    page.window.text = text;
    page.run(`reportError({ error: { message: text, stack: text } }); reportError({ error: text })`);
    await settled();
    assert.ok(page.requests.length);
  }
});

test("Without an error the place is told that the browser names.", async () => {
  const page = new Page();
  page.run(`installGlobalErrorHandler("dashboard")`);
  const at = { filename: "https://shop.example/app.js?v=1", lineno: 4, colno: 12 };
  await page.fire("error", { error: null, message: "Uncaught SyntaxError: Unexpected token '<'", ...at });
  const { error_type, error_message, stack } = page.infos[0];
  assert.deepEqual([error_type, error_message], ["SyntaxError", "Unexpected token '<'"]);
  assert.equal(stack, "    at https://shop.example/app.js:4:12");
});
