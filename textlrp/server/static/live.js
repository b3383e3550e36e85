// The live page: what is typed is explained as soon as typing pauses, and the latest answer wins.

import { Latest, debounced, get, post } from "./ask.js";
import { Choice } from "./choices.js";
import { draw, walk } from "./draw.js";

const PAUSE = 120; // ms without a key until a request goes out
const MOST = 600; // ms until one goes out although typing goes on
const SPOKEN = 1200; // ms until the verdict is said aloud
const EXAMPLES = [
  "Not bad at all! The first hour drags a little, but the two leads are wonderful together, and I left the cinema smiling.",
  "I wanted to like this film. The photography is beautiful, the score is superb, and yet the story is so dull and so predictable that I kept looking at my watch.",
  "Nobody would call it a masterpiece. It is loud, silly and far too long.\n\nI loved every minute of it.",
];

const $ = (id) => document.getElementById(id);
const articles = [$("answer-1"), $("answer-2")];
const latest = new Latest();
let choices = [];
let limits = { max_characters: Infinity };
let spoken = 0;

const comparing = () => $("compare").checked;
const chosen = () => (comparing() ? choices : choices.slice(0, 1));

function say(sentence) {
  $("problem").textContent = sentence;
  $("problem").hidden = !sentence;
}

function tell(sentence, wait = 0) {
  clearTimeout(spoken);
  spoken = setTimeout(() => ($("status").textContent = sentence), wait);
}

async function questions(signal) {
  const text = $("text").value;
  if (!comparing()) return [await (await post("/api/explain", { text, ...choices[0].asked() }, signal)).json()];
  const found = await (await post("/api/compare", { text, choices: choices.map((each) => each.asked()) }, signal)).json();
  found.answers.correlation = found.correlation[0][1];
  return found.answers;
}

async function explain(tries = 3) {
  $("answers").setAttribute("aria-busy", "true");
  const labels = comparing() ? choices.map((each) => each.label()) : [""];
  const outcome = await latest.run(questions);
  if (outcome === null) return; // a later question is on its way
  $("answers").removeAttribute("aria-busy");
  if (outcome.error) {
    const { message, after, status } = outcome.error;
    say(articles[0].hidden ? message : message + " What stands below is the answer before.");
    $("answers").classList.add("stale");
    if (after && tries > 1) {
      await latest.run(() => new Promise((resolve) => setTimeout(resolve, 1000 * Math.min(after, 5)))).then(
        (waited) => waited && explain(tries - 1),
      );
    } else if (status === undefined) throw outcome.error;
    return;
  }
  say("");
  $("answers").classList.remove("stale");
  show(outcome.result, labels);
}

function show(answers, labels) {
  articles.forEach((article, i) => {
    article.hidden = i >= answers.length;
    if (answers[i]) draw(article, answers[i], labels[i]);
  });
  $("answers").classList.toggle("two", answers.length > 1);
  $("alike").hidden = answers.length < 2;
  if (answers.length > 1) {
    const r = answers.correlation;
    const alike = r === null ? "cannot be ranked: one of them says nothing, or reads other words" : `rank correlation ${r.toFixed(2)}`;
    $("alike").textContent = `Both on one colour scale. How alike they are: ${alike}.`;
  }
  tell(answers.map(({ view }) => `Prediction ${view.prediction}, ${view.probability}`).join("; "), SPOKEN);
}

const soon = debounced(explain, PAUSE, MOST);

function count() {
  const length = Array.from($("text").value).length;
  $("count").textContent = `${length.toLocaleString("en")} of ${limits.max_characters.toLocaleString("en")} characters`;
  $("count").classList.toggle("over", length > limits.max_characters);
}

// ---------------------------------------------------------------- the link

function link() {
  const held = new URLSearchParams(chosen().flatMap((each) => each.link()));
  const weak = articles[0].querySelector("input[type=range]").value;
  if (weak !== "0") held.set("hide", weak);
  if (articles[0].querySelector(".merge").checked) held.set("merge", "1");
  return "#" + held;
}

function keep() {
  $("current").textContent = chosen().map((each) => each.label()).join(" | ");
  if (location.hash !== link()) history.replaceState(null, "", link());
}

function read() {
  const held = new URLSearchParams(location.hash.slice(1));
  $("compare").checked = held.has("model2") || held.has("rule2") || held.has("target2") || held.has("gates2");
  $("choice-2").hidden = !comparing();
  const foreign = choices.flatMap((each) => each.set(each.read(held)));
  view(Number(held.get("hide")) || 0, held.get("merge") === "1");
  return foreign.length ? `The link names ${foreign.map((each) => `“${each.slice(0, 40)}”`).join(", ")}, which this server does not have; the usual setting is taken instead.` : "";
}

// ---------------------------------------------------------------- what is hidden and merged, in both articles alike

function view(weakest, merged) {
  for (const article of articles) {
    const slider = article.querySelector("input[type=range]");
    const steps = Number(slider.max);
    slider.value = String(weakest);
    for (let step = 1; step <= steps; step += 1) article.classList.toggle("h" + step, step <= Number(slider.value));
    const text = Number(slider.value) ? `up to ${Math.round((100 * slider.value) / steps)} % of the scale` : "none hidden";
    article.querySelector("output").textContent = text;
    slider.setAttribute("aria-valuetext", text);
    article.querySelector(".merge").checked = merged;
  }
}

// ---------------------------------------------------------------- export

async function save(format) {
  const asked = { text: $("text").value, choices: chosen().map((each) => each.asked()), format };
  try {
    const file = URL.createObjectURL(await (await post("/api/export", asked)).blob());
    const way = document.createElement("a");
    way.href = file;
    way.download = `explanation.${format}`;
    way.click();
    setTimeout(() => URL.revokeObjectURL(file), 10_000);
    tell(`Saved as ${way.download}.`);
  } catch (error) {
    say(error.message);
  }
}

async function copy() {
  keep();
  const button = $("link");
  try {
    await navigator.clipboard.writeText(location.href);
    button.textContent = "Copied";
  } catch {
    button.textContent = "It is in the address bar";
  }
  tell("The link holds the settings, not the text.");
  setTimeout(() => (button.textContent = "Copy link"), 2500);
}

function changed() {
  $("choice-2").hidden = !comparing();
  keep();
  explain();
}

async function start() {
  const offered = await get("/api/models");
  limits = offered.limits;
  choices = [new Choice($("choice-1"), offered, ""), new Choice($("choice-2"), offered, "2")];
  const notice = read();
  let example = -1;
  const write = (text) => {
    $("text").value = text;
    $("text").focus();
    count();
    explain();
  };
  $("desk").addEventListener("submit", (event) => event.preventDefault());
  $("text").addEventListener("input", () => (count(), soon()));
  $("example").addEventListener("click", () => write(EXAMPLES[(example = (example + 1) % EXAMPLES.length)]));
  $("clear").addEventListener("click", () => write(""));
  $("desk").addEventListener("change", (event) => event.target !== $("text") && changed());
  $("link").addEventListener("click", copy);
  for (const button of document.querySelectorAll("[data-export]")) {
    button.addEventListener("click", () => save(button.dataset.export));
  }
  for (const article of articles) {
    walk(article);
    const shown = () => {
      view(Number(article.querySelector("input[type=range]").value), article.querySelector(".merge").checked);
      keep();
    };
    article.querySelector("input[type=range]").addEventListener("input", shown);
    article.querySelector(".merge").addEventListener("change", shown);
  }
  window.addEventListener("hashchange", async () => {
    const problem = read();
    await explain();
    if (problem) say(problem);
  });
  const narrow = window.matchMedia("(max-width: 60rem)"); // there the answer stands below: settings are folded away
  const fold = () => ($("settings").open = !narrow.matches);
  narrow.addEventListener("change", fold);
  fold();
  keep();
  count();
  await explain();
  if (notice) say(notice);
}

start().catch((error) => say(error.message || String(error)));
