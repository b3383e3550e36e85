"use strict";
// The page is complete without this: it adds a slider that hides weak words, arrow keys, and Escape to dismiss a tip.
for (const article of document.querySelectorAll(".textlrp article")) {
  const label = article.querySelector(".weak");
  const slider = label.querySelector("input");
  const output = label.querySelector("output");
  const steps = Number(slider.max);
  label.hidden = false;
  const hide = () => {
    const weakest = Number(slider.value);
    for (let step = 1; step <= steps; step += 1) article.classList.toggle("h" + step, step <= weakest);
    const text = weakest === 0 ? "none hidden" : "up to " + Math.round((100 * weakest) / steps) + " % of the scale";
    output.textContent = text;
    slider.setAttribute("aria-valuetext", text);
  };
  slider.addEventListener("input", hide);
  hide();

  const words = Array.from(article.querySelectorAll(".text .t"));
  let current = 0;
  words.forEach((word, i) => {
    word.tabIndex = i === 0 ? 0 : -1;
    word.addEventListener("focus", () => {
      words[current].tabIndex = -1;
      current = i;
      word.tabIndex = 0;
    });
  });
  const moves = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity };
  article.querySelector(".text").addEventListener("keydown", (event) => {
    if (!(event.key in moves) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    words[Math.max(0, Math.min(words.length - 1, current + moves[event.key]))].focus();
  });
  article.addEventListener("pointermove", () => article.classList.remove("dismissed"));
  article.addEventListener("focusin", () => article.classList.remove("dismissed"));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") article.classList.add("dismissed");
  });
}
