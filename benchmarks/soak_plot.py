"""The soak's plot: one panel for each thing that must not grow, the faults behind them."""

import io
import re
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams |= {
    "svg.fonttype": "none",  # texts stay texts: small, and found by a search
    "svg.hashsalt": "loghub",  # the same figures make the same file
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
}
from matplotlib import pyplot as plt  # noqa: E402

COLORS = ("#0b62a4", "#b8560a", "#2e7d32", "#8e3a8e")
SHADES = {"github": "#d9dde3", "smtp": "#f4e2bd", "lock": "#f3cfcf"}
LANES = {"github": 0, "smtp": 1, "lock": 2, "kill": 3}
PANELS = (
    ("memory", "Memory of its own (MiB) of each process"),
    ("descriptors", "Open descriptors of each process"),
    ("threads", "Threads of each process"),
)


def draw(kept, path):
    """Write the plot of a soak's figures."""
    samples = kept["samples"]
    minutes = [one["at"] / 60 for one in samples]
    whole = minutes[-1]
    figure, axes = plt.subplots(
        6, 1, figsize=(9.6, 12.2), sharex=True, height_ratios=(1.15, 1.6, 1, 1, 1.2, 1.2), layout="constrained"
    )
    figure.suptitle(
        f"{kept['minutes']:g} minutes, four processes, {kept['rate']:g} records a second, faults coming and going\n"
        f"{kept['date']}, {kept['machine']}",
        fontsize=11,
    )
    _faults(axes[0], kept, whole)
    for axis, (what, title) in zip(axes[1:4], PANELS, strict=True):
        _processes(axis, samples, what)
        axis.set_title(title)
    for what, label, color in (("journals", "journals", COLORS[0]), ("waiting", "not in the ledger yet", COLORS[1])):
        axes[4].plot(minutes, [one[what] / 1e6 for one in samples], color=color, lw=1.1, label=label)
    axes[4].set_title("Journals (MB) of all processes")
    for what, label, color in (
        ("ledger", "ledger", COLORS[0]), ("wal", "its write-ahead log", COLORS[1]),
        ("detail_bytes", "detail files", COLORS[2]), ("logs", "log files", COLORS[3]),
    ):  # fmt: skip
        axes[5].plot(minutes, [one[what] / 1e6 for one in samples], color=color, lw=1.1, label=label)
    axes[5].set_title("Ledger and files (MB)")
    axes[5].set_xlabel("minutes")
    for axis in axes[1:]:
        _shade(axis, kept, whole)
        axis.set_ylim(bottom=0)
        axis.set_xlim(0, whole)
        if axis not in (axes[2], axes[3]):  # as above them
            axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.02), frameon=False, fontsize=8, handlelength=1.2)

    text = io.StringIO()
    figure.savefig(text, format="svg", facecolor="white", metadata={"Date": None, "Creator": None})
    # A tenth of a point is as much as anybody sees, and half of the file.
    short = re.sub(r"(?<= d=\")[^\"]+", lambda found: re.sub(r"\d+\.\d+", _rounded, found[0]), text.getvalue())
    Path(path).write_text(re.sub(r"[ \t]+$", "", short, flags=re.MULTILINE), encoding="utf-8")


def _rounded(found):
    return f"{float(found[0]):.1f}".removesuffix(".0")


def _processes(axis, samples, what):
    """Draw a line for each process; one that was killed ends, and the next begins."""
    for name, color in zip("abcd", COLORS, strict=True):
        before = None
        xs, ys = [], []
        for sample in samples:
            usage = sample["processes"].get(name)
            if usage is None or (before is not None and usage["pid"] != before):
                xs.append(sample["at"] / 60)
                ys.append(float("nan"))
            if usage is not None:
                before = usage["pid"]
                xs.append(sample["at"] / 60)
                ys.append(usage[what])
        axis.plot(xs, ys, color=color, lw=1.1, label=f"process {name}")


def _kind(fault):
    return fault["how"].removesuffix("_gone")


def _shade(axis, kept, whole):
    for fault in kept["faults"]:
        begin, end = fault["begin"] * whole / 30, fault["end"] * whole / 30
        if end > begin:
            axis.axvspan(begin, end, color=SHADES[_kind(fault)], lw=0, zorder=0)
        else:
            axis.axvline(begin, color="#444444", lw=0.8, ls=":", zorder=0)


def _faults(axis, kept, whole):
    """Name the faults, in a lane for each kind."""
    for fault in kept["faults"]:
        lane = -LANES[_kind(fault)]
        begin, end = fault["begin"] * whole / 30, fault["end"] * whole / 30
        short = fault["name"].removeprefix("GitHub: ").removeprefix("GitHub ").removeprefix("SMTP ")
        short = short.removeprefix("ledger ").removeprefix("answers ").removesuffix(" is killed").removeprefix("is ")
        if end > begin:
            axis.barh(lane, end - begin, left=begin, height=0.8, color=SHADES[_kind(fault)])
            axis.text((begin + end) / 2, lane, short, ha="center", va="center", fontsize=6.5)
        else:
            axis.plot([begin], [lane], marker="x", color="#444444", ms=5)
            axis.text(begin + whole / 150, lane, short, va="center", fontsize=7)
    axis.set_yticks([-lane for lane in LANES.values()], ["GitHub", "SMTP", "ledger locked", "SIGKILL"])
    axis.tick_params(axis="y", length=0)
    axis.tick_params(axis="x", length=0)
    axis.spines["left"].set_visible(False)
    axis.spines["bottom"].set_visible(False)
    axis.set_ylim(-3.6, 0.6)
    axis.set_title("Faults")
