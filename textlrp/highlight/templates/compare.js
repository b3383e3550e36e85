"use strict";
// The page is complete without this: the word at hand is framed in every heatmap and its values stand in one place; arrow keys
// move between words; tables can be sorted.
const reading = document.querySelector(".textlrp .reading");
if (reading) {
  const texts = Array.from(reading.querySelectorAll(".text"), (text) => Array.from(text.querySelectorAll(".t")));
  const readout = reading.querySelector(".readout");
  const values = Array.from(readout.querySelectorAll(".value"));
  const [name, place, said] = [".word", ".where", ".said"].map((each) => readout.querySelector(each));
  const numbers = (word) => word.dataset.tip.slice(word.dataset.tip.lastIndexOf("\u2069") + 1).trim();
  let shown = -1;
  const show = (at) => {
    if (shown >= 0) for (const words of texts) words[shown].classList.remove("same");
    shown = at;
    if (at < 0) {
      name.textContent = "Point at a word";
      place.textContent = "to see it under every method; with the keyboard, press Tab and then the arrow keys";
    } else {
      name.textContent = texts[0][at].textContent;
      place.textContent = "word " + (at + 1) + " of " + texts[0].length;
    }
    texts.forEach((words, i) => {
      const word = at < 0 ? null : words[at];
      if (word) word.classList.add("same");
      values[i].textContent = word ? numbers(word).split(" ")[0] : "";
      const shade = word ? Array.from(word.classList).find((each) => /^[pn]\d+$/.test(each)) : "";
      values[i].className = "value num " + (shade || "");
    });
  };
  if (texts[0].length) {
    reading.classList.add("live");
    readout.hidden = false;
    said.setAttribute("aria-live", "polite");
    show(-1);
  }
  const moves = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity };
  for (const words of texts) {
    let current = 0;
    words.forEach((word, at) => {
      word.tabIndex = at === 0 ? 0 : -1;
      word.addEventListener("pointerenter", () => show(at));
      word.addEventListener("focus", () => {
        words[current].tabIndex = -1;
        current = at;
        word.tabIndex = 0;
        show(at);
        said.textContent = numbers(word);
      });
      word.addEventListener("keydown", (event) => {
        if (!(event.key in moves) || event.altKey || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        words[Math.max(0, Math.min(words.length - 1, at + moves[event.key]))].focus();
      });
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && texts[0].length) show(-1);
  });
}
for (const table of document.querySelectorAll(".textlrp .sortable")) {
  const body = table.tBodies[0];
  const heads = Array.from(table.tHead.rows[0].cells);
  const number = (cell) => parseFloat((cell.dataset.value ?? cell.textContent).replace("−", "-"));
  heads.forEach((head, column) => {
    if (!head.dataset.sort) return;
    const numeric = head.dataset.sort === "number";
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") ? head.getAttribute("aria-sort") === "ascending" : numeric;
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const sign = down ? -1 : 1;
      const compared = (one, other) => {
        const [a, b] = [one.cells[column], other.cells[column]];
        if (!numeric) return sign * a.textContent.localeCompare(b.textContent);
        const [x, y] = [number(a), number(b)];
        if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y);
        return sign * (x - y);
      };
      body.append(...Array.from(body.rows).sort(compared));
    });
  });
}
