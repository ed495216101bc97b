// Makes pages better where there is JavaScript. Everything works without it.
"use strict";

// Charts: the page came with a drawing; this one follows the width and has tooltips.
function drawCharts() {
  const figures = document.querySelectorAll("figure[data-chart]");
  if (!figures.length) return;
  const script = document.createElement("script");
  script.src = figures[0].dataset.script;
  script.addEventListener("load", () => figures.forEach(drawChart));
  document.head.append(script);
}

async function drawChart(figure) {
  const place = figure.querySelector(".drawing");
  const drawn = document.createElement("div");
  drawn.className = "drawing";
  place.after(drawn);
  try {
    // The policy forbids making functions of text, so expressions are interpreted.
    await window.vegaEmbed(drawn, JSON.parse(figure.dataset.chart), {
      ast: true,
      renderer: "svg",
      actions: false,
      defaultStyle: false,
      tooltip: { disableDefaultStyle: true },
    });
    for (const name of ["role", "aria-label"]) drawn.setAttribute(name, place.getAttribute(name));
    place.remove();
  } catch (error) {
    drawn.remove();
    console.warn("A chart stays as it came.", error);
  }
}

// A navigation that is too wide begins where one is.
function showSection() {
  const here = document.querySelector(".top .sections [aria-current]");
  if (!here) return;
  const bar = here.closest(".sections");
  bar.scrollLeft = here.offsetLeft - bar.offsetLeft - (bar.clientWidth - here.offsetWidth) / 2;
}

// Names are suggested for what is being typed; where a field takes several, for the last of them.
function suggestNames() {
  for (const field of document.querySelectorAll("input[data-suggest]")) {
    let waiting;
    const ask = () => {
      window.clearTimeout(waiting);
      waiting = window.setTimeout(suggest, 120, field);
    };
    field.addEventListener("focus", ask);
    field.addEventListener("input", ask);
  }
}

// Where the last of several names begins: a comma in quotes is a part of one.
function lastName(text) {
  let [begin, isQuoted] = [0, false];
  for (let place = 0; place < text.length; place++) {
    if (text[place] === '"') isQuoted = !isQuoted;
    else if (text[place] === "," && !isQuoted) begin = place + 1;
  }
  return begin;
}

function quoted(name) {
  return /[",]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name;
}

async function suggest(field) {
  const { value } = field;
  const takesSeveral = "several" in field.dataset;
  const begin = takesSeveral ? lastName(value) : 0;
  const [others, last] = [value.slice(0, begin), value.slice(begin).trim()];
  const part = takesSeveral ? last.replace(/^"|"$/g, "").replaceAll('""', '"') : last;
  try {
    const answer = await fetch(`${field.dataset.suggest}?q=${encodeURIComponent(part)}`);
    const names = await answer.json();
    // By now something else may have been typed, which is asked for by itself.
    if (field.value === value) {
      const written = takesSeveral ? names.map(quoted) : names;
      field.list.replaceChildren(...written.map((name) => new Option("", others + name)));
    }
  } catch (error) {
    console.info("No names are suggested now.", error);
  }
}

// Filters apply when one is chosen.
function applyFilters() {
  for (const select of document.querySelectorAll(".filters select")) {
    select.addEventListener("change", () => select.form.requestSubmit());
  }
  for (const form of document.querySelectorAll("form.filters")) {
    form.addEventListener("submit", () => {
      for (const field of form.elements) if (!field.value) field.disabled = true;
    });
    window.addEventListener("pageshow", () => {
      for (const field of form.elements) field.disabled = false;
    });
  }
}

// On a phone, filters that narrow nothing leave the room to what they would narrow.
function foldFilters() {
  if (!window.matchMedia("(max-width: 44rem)").matches) return;
  for (const part of document.querySelectorAll("details.narrowing")) {
    const fields = part.querySelectorAll("input:not([type=hidden]), select");
    part.open = [...fields].some((field) => field.value);
  }
}

// What changes something is sent once, however often its button is pressed.
function sendOnce() {
  const sent = new WeakSet();
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post") return;
    if (sent.has(event.target)) event.preventDefault();
    sent.add(event.target);
    window.setTimeout(() => sent.delete(event.target), 5000);
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.forms) sent.delete(form);
  });
}

// A file may be dropped anywhere on the form that takes one.
function takeDrops() {
  for (const field of document.querySelectorAll(".drop input[type=file]")) {
    const { form } = field;
    form.addEventListener("dragover", (event) => {
      event.preventDefault();
      form.classList.add("dropping");
    });
    form.addEventListener("dragleave", () => form.classList.remove("dropping"));
    form.addEventListener("drop", (event) => {
      event.preventDefault();
      form.classList.remove("dropping");
      if (event.dataTransfer.files.length) field.files = event.dataTransfer.files;
    });
  }
}

// What goes on by itself is shown as it goes on, and the whole page anew once it came to its end.
async function follow() {
  const part = document.querySelector("[data-follow]");
  if (!part) return;
  const address = part.dataset.follow;
  try {
    const answer = await fetch(address);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = page.getElementById(part.id);
    if (!now || !now.dataset.follow) return window.location.replace(address);
    const [told, tells] = [part, now].map((one) => one.querySelector("[aria-live]"));
    told.replaceChildren(...tells.childNodes);
  } catch (error) {
    console.info("The server does not answer now; asked again soon.", error);
  }
  window.setTimeout(follow, 1500);
}

showSection();
drawCharts();
suggestNames();
applyFilters();
foldFilters();
sendOnce();
takeDrops();
window.setTimeout(follow, 1000);
