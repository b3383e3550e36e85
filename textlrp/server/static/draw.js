// Draws one explanation as the exported page does. Everything that comes from a text becomes a text node or an attribute
// value, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; strings become text nodes. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== "") made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const bdi = (text) => element("bdi", {}, text);
const quiet = (text) => element("span", { class: "quiet" }, text);
const num = (text) => element("span", { class: "num" }, text);

function bar(sign, width) {
  const drawn = document.createElementNS(SVG, "svg");
  const filled = document.createElementNS(SVG, "rect");
  const put = (node, values) => Object.entries(values).forEach(([name, value]) => node.setAttribute(name, value));
  put(drawn, { class: ("bar " + sign).trim(), viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" });
  put(filled, { width: String(width), height: "6", rx: "1" });
  drawn.append(filled);
  return drawn;
}

function head(view, label) {
  const verdict = element("h2", { class: "verdict" });
  if (label) verdict.append(element("span", { class: "label" }, bdi(label)), " ");
  if (view.prediction) verdict.append(quiet("Prediction"), " ", bdi(view.prediction), " ", quiet(view.probability));
  else verdict.append(quiet("Explained"), " ", bdi(view.target));
  const classes = element("dl", { class: "classes" });
  for (const [name, share, width, predicted] of view.probabilities) {
    const value = element("dd", {}, bar("", width), num(share));
    classes.append(element("div", { class: predicted ? "chosen" : "" }, element("dt", {}, bdi(name)), value));
  }
  if (view.more_classes) {
    classes.append(element("div", { class: "quiet" }, element("dt", {}, view.more_classes + " more classes"), element("dd")));
  }
  return view.probabilities.length ? [verdict, classes] : [verdict];
}

function words(view) {
  const drawn = document.createDocumentFragment();
  let phrase = null;
  for (const piece of view.pieces) {
    if (!piece.token) {
      (phrase ?? drawn).append(piece.class ? element("span", { class: piece.class }, piece.text) : piece.text);
      continue;
    }
    if (piece.opens !== null) {
      phrase = element("span", { class: "f" + piece.opens, "data-tip": piece.phrase_tip });
      drawn.append(phrase);
    }
    (phrase ?? drawn).append(element("span", { class: piece.class, tabindex: "-1", "data-tip": piece.tip }, piece.text));
    if (piece.closes) phrase = null;
  }
  return drawn;
}

function legend(view, levels) {
  const swatches = element("span", { class: "swatches", "aria-hidden": "true" });
  for (let step = -levels; step <= levels; step += 1) {
    swatches.append(element("i", { class: step ? (step < 0 ? "n" : "p") + Math.abs(step) : "" }));
  }
  const scale = element("div", { class: "scale" }, swatches);
  for (const [kind, low, high] of view.ends) {
    scale.append(element("span", { class: "ends " + kind }, num(low), num("0"), num(high)));
  }
  const sample = (look) => element("span", { class: look + " sample" }, "word");
  const key = element("ul", { class: "key" });
  key.append(element("li", {}, sample("n7"), " ", bdi(view.sides[1]), ", dotted line"));
  key.append(element("li", {}, sample("p7"), " ", bdi(view.sides[0]), ", solid line"));
  if (view.unknown) key.append(element("li", {}, sample("u"), ` not in the vocabulary (${view.unknown})`));
  return [scale, key];
}

function ledger(view) {
  const drawn = [quiet("Explained: the score of"), " ", bdi(view.target), ", ", element("strong", { class: "num" }, view.score)];
  for (const [name, value] of view.ledger) drawn.push(" ", element("span", { class: "chip" }, bdi(name), " ", num(value)));
  return drawn;
}

function table([side, sign, rows]) {
  const drawn = element("table", {}, element("caption", {}, "Words ", bdi(side)));
  const body = element("tbody");
  if (rows.length) {
    const titles = element("tr", {}, element("th", { scope: "col" }, "Word"));
    titles.append(element("th", { scope: "col", class: "right" }, "Relevance"));
    titles.append(element("th", { scope: "col" }, element("span", { class: "unseen" }, "As a bar")));
    drawn.append(element("thead", {}, titles));
  } else {
    body.append(element("tr", {}, element("td", { class: "quiet" }, "none")));
  }
  for (const [word, relevance, width] of rows) {
    const row = element("tr", {}, element("th", { scope: "row" }, bdi(word)));
    row.append(element("td", { class: "num right" }, relevance), element("td", {}, bar(sign, width)));
    body.append(row);
  }
  drawn.append(body);
  return drawn;
}

/** Draws an answer of the endpoint into an article; `label` names its setting. */
export function draw(article, answer, label) {
  const { view, explanation } = answer;
  const part = (name) => article.querySelector(":scope > ." + name);
  const text = part("text");
  const tokens = Array.from(text.querySelectorAll(".t"));
  const focused = tokens.indexOf(document.activeElement);

  part("head").replaceChildren(...head(view, label));
  part("empty").hidden = !view.empty;
  text.replaceChildren(words(view));
  part("note").hidden = !view.truncated;
  part("note").textContent = `The model read the first ${view.read_to} of ${view.length} characters; the rest is grey.`;
  part("legend").replaceChildren(...legend(view, Number(article.querySelector("input[type=range]").max)));
  part("ledger").replaceChildren(...ledger(view));
  part("tops").replaceChildren(...view.tops.map(table));
  const gates = explanation.gates ? `, gates ${explanation.gates}` : "";
  part("how").textContent = `Model ${explanation.model}, rule ${explanation.rule}${gates}; ${answer.milliseconds} ms.`;

  const fresh = Array.from(text.querySelectorAll(".t"));
  const reachable = fresh[Math.min(Math.max(focused, 0), fresh.length - 1)];
  if (reachable) reachable.tabIndex = 0;
  if (reachable && focused >= 0) reachable.focus({ preventScroll: true });
}

/** Arrow keys walk along the words of an article, Escape hides their numbers. */
export function walk(article) {
  const text = article.querySelector(":scope > .text");
  const moves = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity };
  text.addEventListener("focusin", (event) => {
    for (const other of text.querySelectorAll('.t[tabindex="0"]')) other.tabIndex = -1;
    event.target.tabIndex = 0;
  });
  text.addEventListener("keydown", (event) => {
    if (!(event.key in moves) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const all = Array.from(text.querySelectorAll(".t"));
    const next = all.indexOf(event.target) + moves[event.key];
    all[Math.max(0, Math.min(all.length - 1, next))]?.focus();
  });
  article.addEventListener("pointermove", () => article.classList.remove("dismissed"));
  article.addEventListener("focusin", () => article.classList.remove("dismissed"));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") article.classList.add("dismissed");
  });
}
