// The settings: what the selects show, what a request says, and what the link holds. The text is none of them.

const NAMES = ["model", "target", "rule", "gates"];
const GATED = ["lstm", "gru"];

/** One set of selects. */
export class Choice {
  constructor(fieldset, offered, suffix) {
    this.fieldset = fieldset;
    this.offered = offered;
    this.suffix = suffix;
    this.selects = Object.fromEntries(NAMES.map((name) => [name, fieldset.querySelector(`[name=${name}]`)]));
    fill(this.selects.model, offered.models.map((each) => [each.name, each.name]));
    fill(this.selects.rule, offered.rules.map((each) => [each.name, each.name]));
    fill(this.selects.gates, offered.gates.map((each) => [each.name, each.name]));
    this.set(offered.defaults);
    this.selects.model.addEventListener("change", () => this.#follow());
    fieldset.addEventListener("change", () => this.#tell());
  }

  get model() {
    return this.offered.models.find((each) => each.name === this.selects.model.value);
  }

  #follow() {
    const before = this.selects.target.value;
    const names = this.model.classes;
    const margin = names.length === 2 ? `margin ${names[1]} − ${names[0]}` : "winner against the next";
    fill(this.selects.target, [
      ["predicted", "predicted class"],
      ["margin", margin],
      ...names.map((name) => [name, name]),
    ]);
    pick(this.selects.target, before);
    this.selects.gates.disabled = !GATED.includes(this.model.arch);
    this.#tell();
  }

  #tell() {
    const rule = this.offered.rules.find((each) => each.name === this.selects.rule.value);
    this.fieldset.querySelector(".about").textContent = rule ? rule.description + "." : "";
  }

  /** Takes values that are offered, and returns those that are not. */
  set(values) {
    const foreign = [];
    const wanted = { ...this.offered.defaults, ...values };
    for (const name of NAMES) {
      if (!pick(this.selects[name], wanted[name]) && wanted[name] !== undefined) {
        if (name !== "target" || this.selects.target.length) foreign.push(wanted[name]);
        pick(this.selects[name], this.offered.defaults[name]);
      }
      if (name === "model") this.#follow();
    }
    this.#tell();
    return foreign;
  }

  /** What a request says. */
  asked() {
    const { model, target, rule, gates } = this.selects;
    const place = target.selectedIndex - 2; // the first two are no classes
    return { model: model.value, target: place < 0 ? target.value : place, rule: rule.value, gates: gates.value };
  }

  /** What the link holds. */
  link() {
    return NAMES.map((name) => [name + this.suffix, this.selects[name].value]);
  }

  read(link) {
    const found = NAMES.filter((name) => link.has(name + this.suffix));
    return Object.fromEntries(found.map((name) => [name, link.get(name + this.suffix)]));
  }

  label() {
    const { model, target, rule, gates } = this.selects;
    const named = rule.value === "default" ? `${this.model.rule} (default)` : rule.value;
    const shown = [model.value, named, gates.disabled ? "" : `gates ${gates.value}`, target.selectedOptions[0].text];
    return shown.filter(Boolean).join(" · ");
  }
}

function fill(select, pairs) {
  select.replaceChildren(...pairs.map(([value, text]) => new Option(text, value)));
}

function pick(select, value) {
  const place = Array.from(select.options).findIndex((each) => each.value === value);
  if (place >= 0) select.selectedIndex = place;
  return place >= 0;
}
