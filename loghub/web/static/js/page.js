// What every page does where there is JavaScript: times in the viewer's zone, and lists that keep themselves up to
// date without moving anything under the reader's hands.
"use strict";

(() => {
  const EVERY_SECONDS = 5;
  const SHARE = 0.05; // of the time, at most, the server is kept busy for this page
  const SAY_SECONDS = 30; // so often, at most, a screen reader is told something
  const parts = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
  const near = new Intl.DateTimeFormat(undefined, parts);
  const far = new Intl.DateTimeFormat(undefined, { ...parts, year: "numeric" });
  const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
  const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
  const counted = new Intl.NumberFormat();
  const steps = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

  function ago(at) {
    const seconds = (at - Date.now()) / 1000;
    const [unit, size] = steps.find(([, size]) => Math.abs(seconds) >= size) || steps[3];
    return relative.format(Math.trunc(seconds / size), unit);
  }

  function localise(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.getAttribute("datetime"));
      if (isNaN(at)) continue;
      // Within half a year the year goes without saying.
      time.textContent = (Math.abs(at - Date.now()) < 183 * 86400e3 ? near : far).format(at);
      time.title = whole.format(at);
    }
    for (const zone of root.querySelectorAll("[data-zone]")) {
      zone.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone || "your zone";
    }
  }

  // How long ago something was is asked for by pointing at it: as text it would change all the time.
  addEventListener("pointerover", (event) => {
    const time = event.target.closest && event.target.closest("time[datetime]");
    if (!time) return;
    const at = new Date(time.getAttribute("datetime"));
    if (!isNaN(at)) time.title = `${whole.format(at)} (${ago(at)})`;
  });

  // Make a tree of nodes like another one, and touch only what differs: focus, scroll and selection stay. Children
  // with the same data-key or id are the same thing, wherever they stand.
  function become(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !kept(old, name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value && !kept(old, name)) old.setAttribute(name, value);
    }
    if (old.dataset && "drawn" in old.dataset) return; // a script's own
    const known = new Map();
    for (const child of old.childNodes) if (key(child)) known.set(key(child), child);
    let place = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      let same = key(child) ? known.get(key(child)) : place && !key(place) && alike(place, child) ? place : null;
      if (same && same.nodeName !== child.nodeName) same = null;
      if (!same) {
        old.insertBefore(document.importNode(child, true), place);
        continue;
      }
      if (same !== place) {
        // Whoever is moved loses focus and selection: the others step aside instead.
        if (same.contains(document.activeElement)) while (place && place !== same) place = removed(place);
        else old.insertBefore(same, place);
      }
      become(same, child);
      if (same === place) place = place.nextSibling;
    }
    while (place) place = removed(place);
  }

  function removed(node) {
    const next = node.nextSibling;
    node.remove();
    return next;
  }

  function kept(element, name) {
    return (name === "open" && element.nodeName === "DETAILS") || name === "data-drawn";
  }

  function key(node) {
    return node.nodeType === Node.ELEMENT_NODE && (node.dataset.key || node.id);
  }

  function alike(one, other) {
    return one.nodeType === other.nodeType && one.nodeName === other.nodeName;
  }

  // Keeping up ----------------------------------------------------------------------------------------------------

  function keepUp(live, bar) {
    const note = document.getElementById("refreshed");
    const said = document.getElementById("said");
    const button = document.getElementById("pause");
    let etag = `"${bar.dataset.etag}"`;
    let paused = remembered() === "paused";
    let timer = 0;
    let busy = false;
    let saidAt = 0;
    let told = total();

    function total() {
      const found = document.getElementById("found");
      return found ? Number(found.dataset.total) : 0;
    }

    function show() {
      button.setAttribute("aria-pressed", String(paused));
      note.textContent = paused ? "Paused" : "Live";
      bar.classList.toggle("on", !paused);
      bar.hidden = false;
    }

    function later(seconds) {
      clearTimeout(timer);
      timer = setTimeout(look, seconds * 1000);
    }

    function selecting() {
      const selection = getSelection();
      return selection && !selection.isCollapsed && live.contains(selection.anchorNode);
    }

    async function look() {
      if (paused || document.hidden || busy) return;
      busy = true;
      const began = performance.now();
      let wait = EVERY_SECONDS;
      try {
        const answer = await fetch(bar.dataset.url, { headers: { "If-None-Match": etag }, cache: "no-store" });
        if (answer.redirected || answer.status === 401 || answer.status === 403) {
          paused = true;
          show();
          note.textContent = "Logged out: reload the page";
          said.textContent = "You were logged out. Reload the page to go on.";
          return;
        }
        if (answer.status === 200) {
          const text = await answer.text();
          if (paused || selecting()) wait = 1;
          else update(text, answer.headers.get("ETag"));
        } else if (answer.status !== 304) {
          throw new Error(String(answer.status));
        }
        if (!paused) show();
      } catch {
        note.textContent = "No answer: trying again";
        bar.classList.remove("on");
        wait = 4 * EVERY_SECONDS;
      } finally {
        busy = false;
        if (!paused) later(Math.max(wait, (performance.now() - began) / 1000 / SHARE));
      }
    }

    function update(text, mark) {
      const fresh = new DOMParser().parseFromString(`<div id="live">${text}</div>`, "text/html").getElementById("live");
      localise(fresh);
      become(live, fresh);
      etag = mark;
      live.dispatchEvent(new CustomEvent("refreshed"));
      const now = Date.now();
      const more = total() - told;
      if (more > 0 && now - saidAt > SAY_SECONDS * 1000) {
        said.textContent = more === 1 ? "1 more error." : `${counted.format(more)} more errors.`;
        saidAt = now;
        told = total();
      }
    }

    button.addEventListener("click", () => {
      paused = !paused;
      remember(paused ? "paused" : "");
      show();
      if (!paused) look();
    });
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) look();
    });
    show();
    later(EVERY_SECONDS);
  }

  function remembered() {
    try {
      return sessionStorage.getItem("loghub.refresh");
    } catch {
      return null;
    }
  }

  function remember(value) {
    try {
      sessionStorage.setItem("loghub.refresh", value);
    } catch {
      // Storage is forbidden: then it is not remembered.
    }
  }

  localise(document);
  const live = document.getElementById("live");
  const bar = document.getElementById("refresh");
  if (live && bar) keepUp(live, bar);

  // An empty field says nothing: leave it out of the URL.
  for (const form of document.querySelectorAll("form.filters")) {
    form.addEventListener("submit", () => {
      for (const input of form.elements) if (input.name && !input.value) input.disabled = true;
      setTimeout(() => {
        for (const input of form.elements) input.disabled = false;
      });
    });
    addEventListener("pageshow", () => {
      for (const input of form.elements) input.disabled = false;
    });
  }
})();
