"use strict";
class Cart {
  get total() { return this.items.reduce((sum, one) => sum + one.price, 0); }
  checkout() { const sum = this.total; return sum; }
  static load() { const sum = new Cart().checkout(); return sum; }
  async fetchAll() { await null; const sum = Cart.load(); return sum; }
}
function simple() { const sum = Cart.load(); return sum; }
function inArray() { [1].forEach(function each() { simple(); }); }
function inEval() { eval("function made() { simple(); }\nmade();"); }
function inFunction() { new Function("simple()")(); }
const arrow = () => { const sum = simple(); return sum; };
function anonymous2() { (function () { simple(); })(); }
async function asynchronous() { await new Cart().fetchAll(); }
function constructed() { class Page { constructor() { simple(); } } const page = new Page(); return page; }
function chained() { try { simple(); } catch (cause) { throw new RangeError("page broken", { cause }); } }
function inData() { return import("data:text/javascript,export default function inner(){ null.x }").then(m => m.default()); }
function inBlob() { return import(URL.createObjectURL(new Blob(["export default function inner(){ null.x }"], {type: "text/javascript"}))).then(m => m.default()); }
const bytes = new Uint8Array([0,97,115,109,1,0,0,0,1,4,1,96,0,0,2,10,1,1,109,4,102,97,105,108,0,0,3,2,1,0,7,7,1,3,114,117,110,0,1,10,6,1,4,0,16,0,11]);
async function inWasm() { const { instance } = await WebAssembly.instantiate(bytes, { m: { fail: simple } }); instance.exports.run(); }
function json() { JSON.parse("{no"); }
function multi() { throw new Error("first\nat noon\n    at fake (https://evil/x.js:1:1)"); }
function recursion() { return recursion() + 1; }
function notFunction() { const api = {}; api.loadAll(); }
const obj = { handler() { simple(); } };
const tests = { simple, inArray, inEval, inFunction, arrow, anonymous2, asynchronous, constructed, chained, inData, inBlob, inWasm, json, multi, recursion, notFunction, handler: () => { obj.handler(); },
  timeout: () => new Promise((_, no) => setTimeout(function later() { try { simple(); } catch (e) { no(e); } })),
  resource: () => { throw new DOMException("nope", "AbortError"); } };
(async () => {
  const found = {};
  for (const [name, test] of Object.entries(tests)) {
    try { await test(); } catch (e) { found[name] = { type: e.name, message: e.message, stack: String(e.stack || "").slice(0, 1500), cause: e.cause && String(e.cause.stack) }; }
  }
  await fetch("/done", { method: "POST", body: JSON.stringify({ ua: navigator.userAgent, found }) });
})();
