// The days of the table as a chart (uPlot): what spiked stands out, and the forecast stands beside what was.
"use strict";

(() => {
  const HEIGHT = 200;
  const WHOLE = [...Array(19).keys()].flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power));
  let plot = null;

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function read() {
    const table = document.getElementById("days");
    if (!table || !window.uPlot) return null;
    const rows = [...table.querySelectorAll("tbody tr")].reverse();
    const found = { at: [], usual: [], spikes: [], ahead: [], low: null, high: null };
    for (const row of rows) {
      const count = Number(row.dataset.count);
      const spike = "spike" in row.dataset;
      found.at.push(Number(row.dataset.at));
      found.usual.push(spike ? null : count);
      found.spikes.push(spike ? count : null);
      found.ahead.push(null);
    }
    if (table.dataset.high) {
      found.at.push(found.at[found.at.length - 1] + 86400);
      found.usual.push(null);
      found.spikes.push(null);
      found.ahead.push(Number(table.dataset.expected));
      found.low = Number(table.dataset.low);
      found.high = Number(table.dataset.high);
    }
    return found;
  }

  const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
  const compact = new Intl.NumberFormat(undefined, { notation: "compact" });
  const counted = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });

  function draw() {
    const holder = document.getElementById("chart");
    if (!holder) {
      if (plot) plot.destroy();
      plot = null;
      return;
    }
    const found = read();
    if (!found) return;
    if (plot) plot.destroy();
    const most = Math.max(1, found.high || 0, ...[...found.usual, ...found.spikes].map(Number));
    const last = found.ahead[found.ahead.length - 1];
    const bars = uPlot.paths.bars({ size: [0.8, 40], radius: 0.15 });
    const names = (value, place) => (place === found.at.length - 1 && last !== null ? "next 24 h" : day.format(value * 1000));
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const line = (label, fill) => ({
      label,
      fill,
      stroke: fill,
      width: 0,
      paths: bars,
      points: { show: false },
      value: (_, value) => (value === null || value === undefined ? "" : counted.format(value)),
    });
    const shown = [["Errors", "--bar", found.usual], ["Spike", "--bad", found.spikes], ["Forecast", "--soft", found.ahead]].filter(
      ([label, , counts]) => label === "Errors" || counts.some((count) => count !== null),
    );
    const options = {
      width: holder.clientWidth,
      height: HEIGHT,
      ms: 1e-3,
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      legend: { live: true },
      scales: {
        x: { range: [found.at[0] - 43200, found.at[found.at.length - 1] + 43200] },
        y: { range: [0, most * 1.05] },
      },
      axes: [
        { ...axis, grid: { show: false }, size: 30, values: (_, splits) => splits.map((at) => day.format(at * 1000)), incrs: [1, 2, 3, 7, 14, 28, 56].map((days) => days * 86400), space: 60 },
        { ...axis, values: (_, splits) => splits.map((value) => compact.format(value)), incrs: WHOLE, size: 52 },
      ],
      series: [
        { label: "Day (UTC)", value: (_, at, __, place) => (at === null || at === undefined ? "" : names(at, place)) },
        ...shown.map(([label, name]) => line(label, colour(name))),
      ],
      hooks: { draw: [(self) => whisker(self, found)] },
    };
    holder.dataset.drawn = "";
    for (const child of holder.querySelectorAll(".days, .ends")) child.hidden = true;
    for (const child of holder.querySelectorAll("svg")) child.setAttribute("hidden", "");
    plot = new uPlot(options, [found.at, ...shown.map(([, , counts]) => counts)], holder);
    plot.root.setAttribute("aria-hidden", "true"); // the table says the same
  }

  // Between which bounds the next day is expected.
  function whisker(self, found) {
    if (found.high === null) return;
    const x = self.valToPos(found.at[found.at.length - 1], "x", true);
    const [low, high] = [found.low, found.high].map((value) => self.valToPos(value, "y", true));
    const arm = 5 * devicePixelRatio;
    const { ctx } = self;
    ctx.save();
    ctx.strokeStyle = colour("--text");
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.beginPath();
    for (const y of [low, high]) {
      ctx.moveTo(x - arm, y);
      ctx.lineTo(x + arm, y);
    }
    ctx.moveTo(x, low);
    ctx.lineTo(x, high);
    ctx.stroke();
    ctx.restore();
  }

  draw();
  const live = document.getElementById("live");
  let drawn = JSON.stringify(read());
  if (live) {
    live.addEventListener("refreshed", () => {
      const fresh = JSON.stringify(read());
      if (fresh !== drawn) {
        drawn = fresh;
        draw();
      }
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let width = innerWidth;
  addEventListener("resize", () => {
    const holder = document.getElementById("chart");
    if (plot && holder && innerWidth !== width) {
      width = innerWidth;
      plot.setSize({ width: holder.clientWidth, height: HEIGHT });
    }
  });
})();
