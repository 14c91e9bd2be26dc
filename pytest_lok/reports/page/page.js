// Filter, search and keys of a report. Whoever has no script reads the same page without them.
"use strict";
(() => {
  const steps = [...document.querySelectorAll(".step")];
  const controls = document.querySelector(".controls");
  const search = controls.querySelector("input");
  const count = controls.querySelector("output");
  const chips = [...controls.querySelectorAll("[data-filter]")];
  const chosen = new Set();
  const texts = new Map();
  let current = -1;

  // ---- what is shown

  function textOf(step) {
    if (!texts.has(step)) texts.set(step, step.textContent.toLowerCase());
    return texts.get(step);
  }

  function matches(step, words) {
    if (chosen.size && !chosen.has(step.dataset.outcome)) return false;
    return words.every((word) => textOf(step).includes(word));
  }

  function update() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const step of steps) {
      const fits = matches(step, words);
      step.hidden = !fits;
      shown += fits;
    }
    const isWhole = shown === steps.length;
    for (const link of document.querySelectorAll(".graph a, .timeline a")) {
      const step = stepAt(link.getAttribute("href"));
      link.classList.toggle("dim", !isWhole && Boolean(step) && step.hidden);
    }
    for (const chip of chips) chip.setAttribute("aria-pressed", String(chosen.has(chip.dataset.filter)));
    count.textContent = isWhole ? "" : `${shown} of ${steps.length} steps`;
    choose(-1);
  }

  function toggle(outcome) {
    if (!chosen.delete(outcome)) chosen.add(outcome);
    update();
  }

  function reset() {
    chosen.clear();
    search.value = "";
    search.blur();
    update();
  }

  // ---- links

  function stepAt(hash) {
    return hash && hash.length > 1 ? document.getElementById(decodeURIComponent(hash.slice(1))) : null;
  }

  function follow() {
    let target = null;
    try {
      target = stepAt(location.hash);
    } catch {
      return; // no address of this page
    }
    if (!target) return;
    if (target.hidden) reset();
    if (target.tagName === "DETAILS") target.open = true;
    target.scrollIntoView();
    const at = steps.indexOf(target);
    if (at >= 0) choose(at);
  }

  // ---- keys

  function choose(at) {
    if (current >= 0) steps[current].classList.remove("chosen");
    current = at;
    if (at >= 0) steps[at].classList.add("chosen");
  }

  function move(by) {
    let at = current;
    do {
      at += by;
    } while (at >= 0 && at < steps.length && steps[at].hidden);
    if (at < 0) {
      if (current >= 0 || by < 0) return;
      at = 0;
    }
    if (at >= steps.length) return;
    choose(at);
    steps[at].querySelector("summary").focus({ preventScroll: true });
    steps[at].scrollIntoView({ block: "nearest" });
  }

  function setAll(open) {
    for (const step of steps) if (!step.hidden) step.open = open;
  }

  const keys = {
    "/": () => search.focus(),
    j: () => move(1),
    k: () => move(-1),
    o: () => {
      if (current >= 0) steps[current].open = !steps[current].open;
    },
    e: () => setAll(true),
    c: () => setAll(false),
    f: () => {
      const others = chips.map((chip) => chip.dataset.filter).filter((outcome) => outcome !== "passed");
      const isOn = others.every((outcome) => chosen.has(outcome)) && !chosen.has("passed");
      chosen.clear();
      if (!isOn) for (const outcome of others) chosen.add(outcome);
      update();
    },
    Escape: reset,
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isTyping = event.target === search;
    if (isTyping && event.key !== "Escape") return;
    if (Object.hasOwn(keys, event.key)) {
      event.preventDefault();
      keys[event.key]();
    }
  });

  // ---- copying

  async function copy(button) {
    const command = button.previousElementSibling;
    try {
      await navigator.clipboard.writeText(command.textContent);
      button.textContent = "copied";
    } catch {
      // a page from a file may not write to the clipboard: the text is selected instead
      getSelection().selectAllChildren(command);
      button.textContent = "selected";
    }
    setTimeout(() => {
      button.textContent = "copy";
    }, 1500);
  }

  // ---- printing shows what is folded

  let folded = [];
  addEventListener("beforeprint", () => {
    folded = steps.filter((step) => !step.hidden && !step.open);
    for (const step of folded) step.open = true;
  });
  addEventListener("afterprint", () => {
    for (const step of folded) step.open = false;
  });

  // ---- begin

  for (const chip of chips) {
    const number = steps.filter((step) => step.dataset.outcome === chip.dataset.filter).length;
    chip.hidden = !number;
    chip.textContent = `${chip.dataset.filter} ${number}`;
    chip.addEventListener("click", () => toggle(chip.dataset.filter));
  }
  for (const button of controls.querySelectorAll("[data-all]")) {
    button.addEventListener("click", () => setAll(button.dataset.all === "open"));
  }
  for (const button of document.querySelectorAll(".copy")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
  let waiting = 0;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(update, 120);
  });
  addEventListener("hashchange", follow);
  controls.hidden = steps.length < 1;
  follow();
})();
