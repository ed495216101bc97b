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

drawCharts();
applyFilters();
