"use strict";
// Draws the charts of the page, in the reader's theme on screen and in the light one on paper.
(() => {
  const { figures, lists, night } = JSON.parse(document.getElementById("chart-data").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const touch = window.matchMedia("(pointer: coarse)").matches;
  const paperWidth = 680; // pixels between the margins of an A4 or Letter page
  const nodes = [...document.querySelectorAll("[data-chart]")];
  const drawn = new Set();
  let printing = false;

  // A fresh copy of a figure: shared lists put back, colours swapped for their dark twins.
  function dress(value, colours) {
    if (typeof value === "string") return colours[value] ?? value;
    if (Array.isArray(value)) return value.map((item) => dress(item, colours));
    if (value === null || typeof value !== "object" || "bdata" in value) return value;
    if ("list" in value) return lists[value.list];
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, dress(item, colours)]));
  }

  function fit(figure, node) {
    const width = printing ? paperWidth : node.clientWidth;
    const layout = figure.layout;
    layout.width = width;
    layout.autosize = false;
    if (width < 560) {
      layout.font.size = 11;
      layout.margin = { ...layout.margin, l: 48, r: 6 };
      figure.data.forEach((trace) => { if (trace.colorbar) trace.colorbar.title.text = ""; });
    }
    if (touch) layout.dragmode = false; // a finger on a chart scrolls the page
  }

  function draw(node) {
    if (!printing && node.clientWidth === 0) return; // inside a closed section
    const figure = dress(figures[node.dataset.chart], dark.matches && !printing ? night : {});
    fit(figure, node);
    const view = node.dataset.view;
    if (view !== undefined) {
      const views = figure.layout.meta.views.length;
      figure.data.forEach((trace, i) => { if (i < views) trace.visible = i === Number(view); });
    }
    const brush = figure.layout.meta?.brush;
    const first = !drawn.has(node);
    drawn.add(node);
    Plotly.react(node, figure.data, figure.layout, {
      displaylogo: false,
      displayModeBar: printing || touch || brush || figure.layout.height < 180 ? false : "hover", // too small
      modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
      showTips: false,
    });
    if (brush) node.closest("figure").querySelector("[data-picked]").textContent = "picked";
    if (first && brush) offerBrush(node);
  }

  // Parallel coordinates: the lines that pass through every dragged box, drawn once more on top.
  function offerBrush(node) {
    const { axes, traces } = node.layout.meta.brush;
    const told = node.closest("figure").querySelector("[data-picked]");
    const covered = (box) => {
      const [left, right] = [box.x0, box.x1].map(Number).sort((a, b) => a - b);
      const at = Array.from({ length: axes }, (_, i) => i).filter((i) => left <= i && i <= right);
      return at.length ? at : [Math.min(Math.max(Math.round((left + right) / 2), 0), axes - 1)];
    };
    const passes = (y, start, box) => {
      const [low, high] = [box.y0, box.y1].map(Number).sort((a, b) => a - b);
      return covered(box).every((i) => low <= y[start + i] && y[start + i] <= high);
    };
    function pick() {
      const boxes = node.layout.selections ?? [];
      const [xs, ys] = [[], []];
      if (boxes.length) node._fullData.slice(0, traces).forEach(({ y }) => {
        for (let start = 0; start < (y?.length ?? 0); start += axes + 1) {
          if (!boxes.every((box) => passes(y, start, box))) continue;
          for (let i = 0; i < axes; i++) { xs.push(i); ys.push(y[start + i]); }
          xs.push(axes); ys.push(null);
        }
      });
      const number = xs.length / (axes + 1);
      told.textContent = boxes.length ? `${number} picked` : "picked";
      Plotly.restyle(node, { x: [xs], y: [ys] }, [traces]);
    }
    node.on("plotly_selected", pick);
    node.on("plotly_deselect", pick);
  }

  function offerViews(node) {
    const views = figures[node.dataset.chart].layout.meta?.views;
    if (!views) return;
    const group = document.createElement("div");
    group.className = "views";
    group.setAttribute("role", "radiogroup");
    group.setAttribute("aria-label", "What the map shows");
    views.forEach((name, i) => {
      const label = document.createElement("label");
      const radio = document.createElement("input");
      radio.type = "radio";
      radio.name = `${node.dataset.chart}-view`;
      radio.checked = i === 0;
      radio.addEventListener("change", () => { node.dataset.view = i; draw(node); });
      label.append(radio, name);
      group.append(label);
    });
    node.before(group);
  }

  const redraw = () => drawn.forEach(draw);
  const missing = () => nodes.filter((node) => !drawn.has(node));

  nodes.forEach(offerViews);
  const near = new IntersectionObserver((entries) => entries.forEach((entry) => {
    if (entry.isIntersecting && !drawn.has(entry.target)) draw(entry.target);
  }), { rootMargin: "600px" });
  nodes.forEach((node) => near.observe(node));

  // The rest while the reader is busy above, so that paper and searches find every chart drawn.
  const idle = window.requestIdleCallback ?? ((task) => setTimeout(task, 60));
  function drawNext() {
    const next = missing().find((node) => node.clientWidth > 0);
    if (next) { draw(next); idle(drawNext); }
  }
  window.addEventListener("load", () => idle(drawNext));

  dark.addEventListener("change", redraw);
  let width = window.innerWidth;
  let waiting;
  window.addEventListener("resize", () => {
    if (printing || window.innerWidth === width) return; // a phone's address bar changes the height
    width = window.innerWidth;
    clearTimeout(waiting);
    waiting = setTimeout(redraw, 120);
  });

  const closed = new Set();
  window.addEventListener("beforeprint", () => {
    printing = true;
    document.querySelectorAll("details:not([open])").forEach((box) => { closed.add(box); box.open = true; });
    redraw();
    missing().forEach(draw);
  });
  window.addEventListener("afterprint", () => {
    printing = false;
    closed.forEach((box) => { box.open = false; });
    closed.clear();
    redraw();
  });
  document.querySelectorAll("details").forEach((box) => box.addEventListener("toggle", () => {
    if (box.open && !printing) box.querySelectorAll("[data-chart]").forEach((node) => {
      if (!drawn.has(node)) draw(node);
    });
  }));
})();
