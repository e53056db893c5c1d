// Code in GitHub's colours: reads a list of [language, text], and writes what each becomes.

import {all, createStarryNight} from "@wooorm/starry-night";
import {readFileSync} from "node:fs";

const night = await createStarryNight(all);

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

function html(node) {
  if (node.type === "text") return escaped(node.value);
  const inside = node.children.map(html).join("");
  return node.type === "root" ? inside : `<span class="${node.properties.className.join(" ")}">${inside}</span>`;
}

const pieces = JSON.parse(readFileSync(0, "utf-8"));
console.log(JSON.stringify(pieces.map(([language, text]) => {
  const scope = night.flagToScope(language);
  return scope ? html(night.highlight(text, scope)) : escaped(text);
})));
