// Where reports go, and what becomes of them when the server or the network does not take them.

import assert from "node:assert/strict";
import test from "node:test";

import { Page, settled } from "./page.mjs";

const URL_OF_ISSUE = "https://github.example/issues/1";

/** Reports an error in the page; returns the promise. */
const report = (page, text) => page.run(`reportError({ error: new Error(${JSON.stringify(text)}) })`);
const messages = (list) => list.map((each) => each.info.error_message);

test("Reports go to the origin of the script, below the prefix that it is mounted at, or to data-endpoint.", async () => {
  const places = [
    ["https://shop.example/static/js/error-reporter.js", {}, "https://shop.example/api/report-error"],
    ["https://shop.example/ops/static/js/error-reporter.js?v=3", {}, "https://shop.example/ops/api/report-error"],
    ["https://errors.example:8443/a/b/static/js/error-reporter.js", {}, "https://errors.example:8443/a/b/api/report-error"],
    ["https://cdn.example/assets/reporter.min.js", {}, "https://cdn.example/api/report-error"],
    ["https://cdn.example/static/js/x.js", { endpoint: "/errors" }, "https://shop.example/errors"],
    ["https://cdn.example/static/js/x.js", { endpoint: "https://e.example/in" }, "https://e.example/in"],
    ["", {}, "https://shop.example/api/report-error"],
  ];
  for (const [src, data, expected] of places) {
    const page = new Page({ src, data });
    await report(page, "x");
    assert.equal(page.requests[0].url, expected);
  }
});

test("A key goes as a header, and inside of a beacon; a release of the tag comes before the page's.", async () => {
  const page = new Page({ data: { key: "k1", release: "of the tag" }, release: "of the page" });
  await report(page, "x");
  const [{ headers, info, method, keepalive, referrerPolicy }] = page.requests;
  assert.deepEqual([method, keepalive, referrerPolicy], ["POST", true, "origin"]);
  assert.deepEqual({ ...headers }, { "Content-Type": "application/json", "X-Loghub-Key": "k1" });
  assert.deepEqual([info.key, info.release], [undefined, "of the tag"]);
  page.window.navigator.onLine = false;
  report(page, "y");
  page.window.navigator.onLine = true;
  await page.fire("pagehide");
  assert.equal(page.beacons[0].info.key, "k1");
});

test("The promise gives the issue's URL, or null where there is none or it is no address.", async () => {
  for (const [body, url] of [
    [{ issue_url: URL_OF_ISSUE }, URL_OF_ISSUE], [{ issue_url: null }, null], [{}, null], [null, null],
    [{ issue_url: "javascript:alert(1)" }, null], [undefined, null],
  ]) {
    const page = new Page();
    page.answer = () => ({ status: 200, body });
    assert.equal(await report(page, "x"), url);
    await page.pass(3600000);
    assert.equal(page.requests.length, 1); // it was taken, whatever the answer says
  }
});

test("What the server refuses for good is not sent again.", async () => {
  for (const status of [400, 401, 403, 404, 413]) {
    const page = new Page();
    page.answer = () => ({ status });
    assert.equal(await report(page, "x"), null);
    await page.pass(3600000);
    assert.equal(page.requests.length, 1);
  }
});

test("What fails is sent again after 10, 20, 40 and 80 seconds, then dropped and counted; nobody waits for it.", async () => {
  const lost = new TypeError("Failed to fetch");
  for (const answer of [lost, { status: 500 }, { status: 502 }, "hang"]) {
    const page = new Page();
    const times = [];
    page.answer = () => (times.push(page.time), answer);
    let url = "waiting";
    report(page, "x").then((told) => (url = told));
    const patience = answer === "hang" ? 10000 : 0;
    await page.pass(patience);
    assert.equal(url, null);
    await page.pass(3600000);
    assert.deepEqual(times.slice(1).map((time, at) => Math.round((time - times[at] - patience) / 1000)), [10, 20, 40, 80]);
    page.answer = () => ({ status: 200, body: {} });
    report(page, "y");
    await settled();
    assert.equal(page.infos.at(-1).dropped, 1);
  }
});

test("While a server does not answer only one request is under way, and what waits is bounded.", async () => {
  const page = new Page();
  page.answer = () => "hang";
  for (let minute = 0; minute < 10; minute++) {
    for (let n = 0; n < 20; n++) report(page, `${minute} ${n}`);
    await page.pass(61000);
  }
  assert.ok(page.requests.length < 12);
  page.answer = () => ({ status: 200, body: {} });
  const before = page.requests.length;
  await page.pass(3600000);
  const taken = page.requests.slice(before);
  assert.ok(taken.length <= 31);
  assert.equal(taken.reduce((sum, each) => sum + each.info.dropped, 0) + taken.length, 200);
});

test("After 429 nothing is sent before the time that the server names, by no way.", async () => {
  const page = new Page();
  page.answer = () => ({ status: 429, headers: { "Retry-After": "120" } });
  assert.equal(await report(page, "x"), null);
  page.answer = () => ({ status: 200, body: {} });
  report(page, "y");
  await page.pass(119000);
  await page.fire("online");
  await page.fire("pagehide");
  assert.equal(page.requests.length, 1);
  assert.equal(page.beacons.length, 0);
  await page.pass(2000);
  assert.deepEqual(messages(page.requests), ["x", "x", "y"]);
});

test("A Retry-After that is no number is a minute; none is longer than an hour.", async () => {
  for (const [named, seconds] of [["Wed, 21 Oct 2026 07:28:00 GMT", 60], [undefined, 60], ["1e9", 3600], ["-5", 60], ["0", 60]]) {
    const page = new Page();
    page.answer = () => ({ status: 429, headers: named ? { "Retry-After": named } : {} });
    report(page, "x");
    await page.pass(seconds * 1000 - 10);
    assert.equal(page.requests.length, 1);
    await page.pass(20);
    assert.equal(page.requests.length, 2);
    await page.pass(3600000 * 6);
    assert.equal(page.requests.length, 5);
  }
});

test("Offline, reports wait without a request and go in their order when the browser is online again.", async () => {
  const page = new Page();
  page.window.navigator.onLine = false;
  assert.equal(await report(page, "a"), null);
  assert.equal(await report(page, "b"), null);
  await page.fire("pagehide");
  assert.equal(page.requests.length + page.beacons.length, 0);
  page.window.navigator.onLine = true;
  await page.fire("online");
  assert.deepEqual(messages(page.requests), ["a", "b"]);
});

test("A network that comes back is not waited for any longer.", async () => {
  const page = new Page();
  page.answer = () => new TypeError("Failed to fetch");
  await report(page, "a");
  page.answer = () => ({ status: 200, body: {} });
  await page.fire("online");
  assert.equal(page.requests.length, 2);
  await page.pass(3600000);
  assert.equal(page.requests.length, 2);
});

test("What waits when the page is left or hidden goes by beacon, once, with the repeats that were not told.", async () => {
  const page = new Page();
  page.run(`globalThis.again = () => reportError({ error: Object.assign(new Error("a"), { stack: "" }) })`);
  page.run(`again()`);
  await settled();
  page.run(`again(); again()`);
  page.answer = () => new TypeError("Failed to fetch");
  await report(page, "b");
  report(page, "c");
  await page.fire("visibilitychange");
  assert.equal(page.beacons.length, 0);
  page.window.document.hidden = true;
  await page.fire("visibilitychange");
  await page.fire("pagehide");
  assert.deepEqual(page.beacons.map(({ info }) => [info.error_message, info.count]), [["b", undefined], ["c", undefined], ["a", 2]]);
  assert.equal(page.beacons[0].url, "https://shop.example/api/report-error");
  await page.pass(3600000);
  assert.equal(page.requests.length, 2);
});

test("After a success the first pause is ten seconds again.", async () => {
  const page = new Page();
  for (const text of ["a", "b"]) {
    page.answer = () => ({ status: 500 });
    await report(page, text);
    page.answer = () => ({ status: 200, body: {} });
    const before = page.requests.length;
    await page.pass(9900);
    assert.equal(page.requests.length, before);
    await page.pass(200);
    assert.equal(page.requests.length, before + 1);
  }
});

test("Occurrences that are lost with a number are counted one by one, and told once, also by beacon.", async () => {
  const page = new Page();
  page.run(`globalThis.again = () => reportError({ error: { message: "a", stack: "" } })`);
  await page.run(`again()`);
  for (let n = 0; n < 7; n++) page.run(`again()`);
  page.answer = () => ({ status: 500 });
  await page.pass(30000 + 160000);
  page.window.navigator.onLine = false;
  for (const text of ["b", "c"]) report(page, text);
  page.window.navigator.onLine = true;
  await page.fire("pagehide");
  assert.deepEqual(page.beacons.map(({ info }) => [info.error_message, info.dropped]), [["b", 7], ["c", 0]]);
});

test("What was dropped is told once, though the page is left while the report that tells it is under way.", async () => {
  for (const status of [200, 400]) {
    const page = new Page();
    let answered;
    page.answer = () => new Promise((answer) => (answered = answer));
    for (let n = 0; n < 23; n++) report(page, `${n}`);
    await settled();
    await page.fire("pagehide");
    answered({ status, body: {} });
    page.answer = () => ({ status: 200, body: {} });
    await page.pass(61000);
    await report(page, "next");
    assert.deepEqual(page.beacons.map(({ info }) => info.dropped), Array(19).fill(0));
    assert.deepEqual(page.infos.map(({ dropped }) => dropped), status === 200 ? [3, 0] : [3, 3]);
  }
});

test("A request under way that fails because the page is left is not told again: the browser still sends it.", async () => {
  const page = new Page();
  const lost = new TypeError("Failed to fetch");
  let fail;
  page.answer = () => new Promise((_, reject) => (fail = () => reject(lost)));
  report(page, "a");
  report(page, "b");
  await settled();
  await page.fire("pagehide");
  fail();
  await settled();
  page.window.document.hidden = true;
  await page.fire("visibilitychange");
  assert.deepEqual(messages([...page.requests, ...page.beacons]), ["a", "b"]);
  page.answer = () => lost; // the page is shown again: what fails from now on is sent again
  report(page, "c");
  await page.pass(1000);
  page.answer = () => ({ status: 200, body: {} });
  await page.pass(3600000);
  assert.deepEqual(messages(page.requests), ["a", "c", "c"]);
});

test("What a beacon does not take waits on.", async () => {
  const page = new Page();
  page.answer = () => new TypeError("Failed to fetch");
  await report(page, "a");
  page.window.navigator.sendBeacon = () => false;
  await page.fire("pagehide");
  page.answer = () => ({ status: 200, body: {} });
  await page.pass(11000);
  assert.deepEqual(messages(page.requests), ["a", "a"]);
});

test("A page that wraps fetch later, and reports what fails in there, makes no loop.", async () => {
  const page = new Page();
  page.answer = () => new TypeError("Failed to fetch");
  page.run(`
    const plain = fetch;
    fetch = (...all) => plain(...all).catch(error => { reportError({ error: new Error("wrapped " + Math.random()) }); throw error });
    installGlobalErrorHandler("dashboard"); reportError({ error: new Error("x") })`);
  await page.pass(3600000);
  assert.deepEqual([...new Set(messages(page.requests))], ["x"]);
});
