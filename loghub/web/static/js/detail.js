// Pages of errors and groups: copy a text, fold and unfold frames. Without it all can be read and saved.
"use strict";

(() => {
  const copy = async (text) => {
    if (navigator.clipboard && isSecureContext) {
      await navigator.clipboard.writeText(text);
      return true;
    }
    // A page without TLS has no clipboard of its own: what is selected can be copied all the same.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  };

  const select = (element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  };

  for (const button of document.querySelectorAll("[data-copy]")) {
    const source = document.getElementById(button.dataset.copy);
    const said = button.parentElement.querySelector("[data-copied]");
    button.hidden = false;
    button.addEventListener("click", async () => {
      const done = await copy(source.textContent).catch(() => false);
      said.textContent = done ? "Copied." : "Press Ctrl-C: it is selected.";
      if (!done) {
        source.closest("details").open = true;
        select(source);
      }
    });
  }

  for (const button of document.querySelectorAll("[data-fold]")) {
    const card = button.closest("section");
    button.hidden = false;
    button.addEventListener("click", () => {
      const unfold = button.dataset.fold === "open";
      for (const one of card.querySelectorAll(unfold ? "details" : "details.library")) one.open = unfold;
    });
  }
})();
