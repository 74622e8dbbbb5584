// app.js -- the interactive lineage: what is visible, the canvas, the panes, the keyboard.
// The data stands in <script id="data">; everything of it reaches the page as text, never as HTML.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const nodes = data.nodes, edges = data.edges, hues = data.hues;
const $ = id => document.getElementById(id);
const canvas = $("canvas"), ctx = canvas.getContext("2d");
const LETTER = 6.63, PAD = 10, BOX = LAYOUT.height;
const FONT = "11px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace";
const TESTS = new Set(["test", "unit_test"]);

// ---------------------------------------------------------------- the graph

nodes.forEach((n, i) => { n.at = i; n.up = []; n.down = []; n.far = new Set(); });
edges.forEach(([a, b, far]) => {
  nodes[a].down.push(b);
  nodes[b].up.push(a);
  if (far) nodes[b].far.add(a);
});

function el(tag, props, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(props || {}))
    k in e ? (e[k] = v) : e.setAttribute(k, v);
  e.append(...children.filter(c => c !== null && c !== undefined));
  return e;
}

function seconds(s) {
  if (s < 0.095 && s > 0) return Math.max(0.01, Math.round(s * 100) / 100) + " s";
  if (s < 9.95) return Math.round(s * 10) / 10 + " s";
  if (s < 59.5) return Math.round(s) + " s";
  if (s < 3600) return Math.floor(s / 60) + " min " + Math.round(s % 60) + " s";
  return Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
}

function fit(label) {
  const c = [...label];
  return c.length <= 44 ? label : c.slice(0, 26).join("") + "\u2026" + c.slice(-17).join("");
}

// Wide characters take two places of a monospace font.
function width(label) {
  let n = 0;
  for (const c of label) n += c.codePointAt(0) >= 0x1100 ? 2 : 1;
  return n * LETTER + 2 * PAD;
}

// Everything within `depth` steps, the starts included.
function reach(starts, side, depth, allowed) {
  const seen = new Set(starts);
  let wave = [...starts];
  for (let d = 0; d < depth && wave.length; d++) {
    const next = [];
    for (const i of wave)
      for (const t of nodes[i][side])
        if (!seen.has(t) && (!allowed || allowed(t))) { seen.add(t); next.push(t); }
    wave = next;
  }
  return seen;
}

// ---------------------------------------------------------------- state

const state = {
  kinds: new Set(data.kinds.map(k => k.id).filter(k => !TESTS.has(k) && k !== "analysis")),
  folder: "", tag: "", colour: data.colour_by, critical: false,
  selected: -1, focus: -1, up: 2, down: 2,
};
let view = null;               // what is laid out: see relayout()
let cam = { x: 0, y: 0, k: 1 };
let hover = -1, near = null;   // near: nodes tied to the selected one
let theme = {};

function matches(n) {
  return state.kinds.has(n.kind) && (!state.folder || n.folder === state.folder || n.folder.startsWith(state.folder + "/")) &&
    (!state.tag || n.tags.includes(state.tag));
}

function visibleNodes() {
  if (state.focus >= 0) {
    const ok = t => state.kinds.has(nodes[t].kind);
    const both = reach([state.focus], "up", state.up, ok);
    for (const i of reach([state.focus], "down", state.down, ok)) both.add(i);
    return [...both].sort((a, b) => a - b);
  }
  return nodes.filter(matches).map(n => n.at);
}

// Edges between visible nodes; dashed where the way leads over hidden ones.
function visibleEdges(list) {
  const place = new Int32Array(nodes.length).fill(-1), from = [], to = [], through = [];
  list.forEach((i, k) => { place[i] = k; });
  const seen = new Int32Array(nodes.length).fill(-1);
  for (const i of list) {
    const todo = [[nodes[i], false]];
    while (todo.length) {
      const [n, hidden] = todo.pop();
      for (const u of n.up) {
        if (seen[u] === i) continue;
        seen[u] = i;
        if (place[u] >= 0) { from.push(place[u]); to.push(place[i]); through.push(hidden || n.far.has(u)); }
        else todo.push([nodes[u], true]);
      }
    }
  }
  return { from, to, through };
}

// The edges of the critical path as far as its nodes are visible; from one task to the next it may
// lead over visible nodes that are no tasks (ephemeral models).
function criticalEdges(list, place, e) {
  const out = list.map(() => []), marks = new Array(e.from.length).fill(false);
  e.from.forEach((f, k) => out[f].push(k));
  const path = data.critical_path.filter(i => place.has(i)).map(i => place.get(i));
  for (let p = 1; p < path.length; p++) {
    const came = new Map([[path[p - 1], -1]]), queue = [path[p - 1]];
    for (let h = 0; h < queue.length && !came.has(path[p]); h++)
      for (const k of out[queue[h]]) {
        const t = e.to[k];
        if (came.has(t) || (t !== path[p] && nodes[list[t]].wave !== undefined)) continue;
        came.set(t, k);
        queue.push(t);
      }
    for (let k = came.has(path[p]) ? came.get(path[p]) : -1; k >= 0; k = came.get(e.from[k])) marks[k] = true;
  }
  return marks;
}

function relayout(keep) {
  const list = visibleNodes(), e = visibleEdges(list);
  const labels = list.map(i => fit(nodes[i].label)), widths = labels.map(width);
  const l = layoutGraph(list.length, widths, e.from, e.to);
  const box = l.routes.map(r => {
    let a = Infinity, b = -Infinity;
    for (let k = 1; k < r.length; k += 2) { a = Math.min(a, r[k]); b = Math.max(b, r[k]); }
    return [r[0], a, r[r.length - 2], b];
  });
  const place = new Map(list.map((i, k) => [i, k]));
  view = { list, place, labels, widths, ...e, ...l, box, critical: criticalEdges(list, place, e) };
  $("empty").hidden = list.length > 0;
  $("counts").textContent = list.length + " of " + nodes.length + " nodes, " + e.from.length + " edges";
  if (state.selected >= 0 && !place.has(state.selected)) select(-1);
  mark();
  if (!keep) fitView();
  colours();
  draw();
}

// ---------------------------------------------------------------- colours

const STATUS = {
  success: ["succeeded", "green"], pass: ["succeeded", "green"], "no-op": ["nothing to do", "sky"], reused: ["nothing to do", "sky"],
  warn: ["warned", "amber"], error: ["failed", "red"], fail: ["failed", "red"], "runtime error": ["failed", "red"],
  "partial success": ["partly failed", "orange"], skipped: ["skipped", "purple"],
};
const FOLDER_HUES = ["green", "amber", "blue", "purple", "orange", "pink", "teal", "indigo", "violet", "sky", "lime"];
const TIME_HUES = ["sky", "green", "amber", "orange", "red"];

function colours() {
  const classes = new Map(), shown = view.list.map(i => nodes[i]);
  const add = (name, hue) => { if (!classes.has(name)) classes.set(name, { hue, n: 0 }); return name; };
  let of;
  if (state.colour === "status") {
    of = n => n.status in STATUS ? add(...STATUS[n.status]) : add("no result", "grey");
  } else if (state.colour === "time") {
    const times = shown.filter(n => n.seconds > 0).map(n => n.seconds);
    const low = Math.min(...times), high = Math.max(...times);
    const bounds = TIME_HUES.map((_, k) => low * Math.pow(high / low, (k + 1) / 5));
    TIME_HUES.forEach((h, k) => times.length && add("up to " + seconds(bounds[k]), h));
    of = n => {
      if (n.seconds === undefined) return add("no time", "grey");
      const k = bounds.findIndex(b => n.seconds <= b * (1 + 1e-9));
      return "up to " + seconds(bounds[k < 0 ? 4 : k]);
    };
  } else if (state.colour === "folder") {
    const sizes = new Map();
    shown.forEach(n => sizes.set(n.folder, (sizes.get(n.folder) || 0) + 1));
    const ranked = [...sizes].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(s => s[0]);
    const rank = new Map(ranked.map((f, k) => [f, k]));
    ranked.slice(0, 11).forEach((f, k) => add(f, FOLDER_HUES[k]));
    of = n => rank.get(n.folder) < 11 ? n.folder : add("other folders", "grey");
  } else {
    data.kinds.forEach(k => add(k.name, k.hue));
    const names = new Map(data.kinds.map(k => [k.id, k.name]));
    of = n => names.get(n.kind);
  }
  view.hue = shown.map(n => { const c = classes.get(of(n)); c.n++; return c.hue; });
  const legend = $("legend");
  legend.replaceChildren();
  for (const [name, c] of classes) {
    if (!c.n) continue;
    const [fill, line] = theme.hues[c.hue];
    const box = el("i");
    box.style.background = fill;
    box.style.borderColor = line;
    legend.append(el("span", {}, box, name + " (" + c.n + ")"));
  }
  if (view.list.some(i => nodes[i].critical))
    legend.append(el("span", {}, el("i", { className: "way" }), data.critical_name));
}

function readTheme() {
  const css = getComputedStyle(document.documentElement), v = name => css.getPropertyValue(name).trim();
  const set = document.documentElement.dataset.theme;
  const dark = set ? set === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  theme = { page: v("--page"), text: v("--text"), dim: v("--dim"), edge: v("--edge"), accent: v("--accent"), critical: v("--critical"), dark, hues: {} };
  for (const [name, h] of Object.entries(hues)) theme.hues[name] = dark ? [h[2], h[3]] : [h[0], h[1]];
}

// ---------------------------------------------------------------- the canvas

let pending = false;
function draw() {
  if (pending) return;
  pending = true;
  requestAnimationFrame(() => { pending = false; paint(); });
}

function stageSize() {
  const r = canvas.getBoundingClientRect();
  return [Math.max(r.width, 1), Math.max(r.height, 1)];
}

function tracePath(r) {
  ctx.moveTo(r[0], r[1]);
  ctx.lineTo(r[2], r[3]);
  for (let k = 4; k < r.length; k += 2) {
    if ((k / 2) % 2 === 0) {
      const m = (r[k - 2] + r[k]) / 2;
      ctx.bezierCurveTo(m, r[k - 1], m, r[k + 1], r[k], r[k + 1]);
    } else {
      ctx.lineTo(r[k], r[k + 1]);
    }
  }
}

function paintEdges(pick, colour, line, dash) {
  const [w, h] = stageSize(), x0 = -cam.x / cam.k, y0 = -cam.y / cam.k, x1 = x0 + w / cam.k, y1 = y0 + h / cam.k;
  const tips = cam.k > 0.45;
  ctx.strokeStyle = ctx.fillStyle = colour;
  ctx.lineWidth = line;
  ctx.setLineDash(dash ? [4, 4] : []);
  ctx.beginPath();
  const ends = [];
  for (let e = 0; e < view.routes.length; e++) {
    const b = view.box[e];
    if (b[0] > x1 || b[2] < x0 || b[1] > y1 || b[3] < y0 || !pick(e)) continue;
    tracePath(view.routes[e]);
    if (tips) ends.push(view.routes[e]);
  }
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.beginPath();
  for (const r of ends) {
    const x = r[r.length - 2], y = r[r.length - 1];
    ctx.moveTo(x, y);
    ctx.lineTo(x - 6, y - 3);
    ctx.lineTo(x - 6, y + 3);
  }
  ctx.fill();
}

function paint() {
  const [w, h] = stageSize(), dpr = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(w * dpr) || canvas.height !== Math.round(h * dpr)) {
    canvas.width = Math.round(w * dpr);
    canvas.height = Math.round(h * dpr);
  }
  ctx.setTransform(dpr, 0, 0, dpr, 0, 0);
  ctx.fillStyle = theme.page;
  ctx.fillRect(0, 0, w, h);
  ctx.setTransform(dpr * cam.k, 0, 0, dpr * cam.k, dpr * cam.x, dpr * cam.y);
  const L = view.list, marked = near || state.critical;
  const lit = i => near ? near.has(i) : !state.critical || nodes[i].critical;
  const litEdge = e => near ? near.has(L[view.from[e]]) && near.has(L[view.to[e]]) &&
    tied(L[view.from[e]], L[view.to[e]]) : state.critical && view.critical[e];
  const fine = Math.max(1.2, 0.6 / cam.k);
  ctx.globalAlpha = marked ? 0.18 : 1;
  paintEdges(e => !view.through[e] && !(marked && litEdge(e)) && !(view.critical[e] && !marked), theme.edge, fine, false);
  paintEdges(e => view.through[e] && !(marked && litEdge(e)), theme.edge, fine, true);
  ctx.globalAlpha = 1;
  if (marked) {
    const colour = near ? theme.accent : theme.critical;
    paintEdges(e => litEdge(e) && !view.through[e], colour, Math.max(2, 1 / cam.k), false);
    paintEdges(e => litEdge(e) && view.through[e], colour, Math.max(2, 1 / cam.k), true);
  } else {
    paintEdges(e => view.critical[e], theme.critical, Math.max(2.2, 1.2 / cam.k), false);
  }
  paintNodes(w, h, lit, marked);
}

function paintNodes(w, h, lit, marked) {
  const x0 = -cam.x / cam.k, y0 = -cam.y / cam.k, x1 = x0 + w / cam.k, y1 = y0 + h / cam.k;
  const text = cam.k > 0.42, round = cam.k > 0.3;
  ctx.font = FONT;
  ctx.textBaseline = "middle";
  for (let k = 0; k < view.list.length; k++) {
    const x = view.x[k], y = view.y[k], bw = view.widths[k];
    if (x > x1 || x + bw < x0 || y > y1 || y + BOX < y0) continue;
    const i = view.list[k], n = nodes[i], [fill, line] = theme.hues[view.hue[k]];
    ctx.globalAlpha = marked && !lit(i) ? 0.25 : 1;
    ctx.fillStyle = round ? fill : line;
    ctx.strokeStyle = i === state.selected ? theme.accent : n.critical ? theme.critical : line;
    ctx.lineWidth = i === state.selected ? 3 : i === hover || n.critical ? 2.2 : 1.2;
    ctx.setLineDash(n.materialized === "ephemeral" ? [4, 3] : []);
    ctx.beginPath();
    if (round) ctx.roundRect(x, y, bw, BOX, 6);
    else ctx.rect(x, y, bw, BOX);
    ctx.fill();
    if (round) ctx.stroke();
    if (text) {
      ctx.fillStyle = theme.text;
      ctx.fillText(view.labels[k], x + PAD, y + BOX / 2 + 0.5);
    }
  }
  ctx.globalAlpha = 1;
  ctx.setLineDash([]);
}

// ---------------------------------------------------------------- moving about

const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
let flight = 0, landed = 0;
function fly(to) {
  const from = { ...cam }, start = performance.now(), id = ++flight;
  const step = now => {
    if (id !== flight) return;
    const t = calm ? 1 : Math.min(1, (now - start) / 220), s = t * (2 - t);
    cam = { x: from.x + (to.x - from.x) * s, y: from.y + (to.y - from.y) * s, k: from.k + (to.k - from.k) * s };
    paint();
    if (t < 1) requestAnimationFrame(step);
    else landed = id;
  };
  requestAnimationFrame(step);
}

function fitView(animate) {
  const [w, h] = stageSize(), pad = Math.min(40, w / 24);
  let k = Math.min((w - 2 * pad) / Math.max(view.width, 1), (h - 2 * pad - 40) / Math.max(view.height, 1), 1.4);
  let to;
  if (k < 0.2) {               // too large to read as a whole: begin at its widest place
    k = Math.max(k, Math.min((w - 2 * pad) / Math.max(view.width, 1), 1));
    to = { k, x: pad, y: h / 2 - busiest() * k };
  } else {
    to = { k, x: (w - view.width * k) / 2, y: (h - view.height * k) / 2 };
  }
  if (animate) fly(to);
  else { landed = ++flight; cam = to; }
}

// The height at which the boxes furthest to the right stand: where the graph is deepest.
function busiest() {
  let best = 0;
  for (let k = 0; k < view.list.length; k++) if (view.x[k] > view.x[best]) best = k;
  return view.list.length ? view.y[best] : 0;
}

function zoomAt(x, y, f) {
  const k = Math.min(4, Math.max(0.005, cam.k * f));
  landed = ++flight;
  cam = { k, x: x - (x - cam.x) * k / cam.k, y: y - (y - cam.y) * k / cam.k };
  draw();
}

function show(i) {
  const k = view.place.get(i), [w, h] = stageSize(), z = Math.max(cam.k, 0.9);
  if (k === undefined) return;
  fly({ k: z, x: w / 2 - (view.x[k] + view.widths[k] / 2) * z, y: h / 2 - (view.y[k] + BOX / 2) * z });
}

// The pane takes room from the stage: the selected node moves out from under it, and no further.
function keepInSight() {
  const k = view.place.get(state.selected), [w, h] = stageSize(), pad = 16;
  if (k === undefined || landed !== flight) return;
  const inside = (from, to, end) => Math.min(0, end - pad - to) || Math.max(0, pad - from);
  const left = cam.x + view.x[k] * cam.k, top = cam.y + view.y[k] * cam.k;
  const dx = inside(left, left + view.widths[k] * cam.k, w), dy = inside(top, top + BOX * cam.k, h);
  if (dx || dy) fly({ k: cam.k, x: cam.x + dx, y: cam.y + dy });
}

function nodeAt(px, py) {
  const x = (px - cam.x) / cam.k, y = (py - cam.y) / cam.k;
  for (let k = view.list.length - 1; k >= 0; k--)
    if (x >= view.x[k] && x <= view.x[k] + view.widths[k] && y >= view.y[k] && y <= view.y[k] + BOX) return view.list[k];
  return -1;
}

// ---------------------------------------------------------------- selecting and focusing

let upSet = new Set(), downSet = new Set();
function mark() {
  near = null;
  if (state.selected < 0 || state.selected === state.focus) return;
  upSet = reach([state.selected], "up", Infinity);
  downSet = reach([state.selected], "down", Infinity);
  near = new Set([...upSet, ...downSet]);
}
const tied = (a, b) => (upSet.has(a) && upSet.has(b)) || (downSet.has(a) && downSet.has(b));

function select(i, move) {
  state.selected = i;
  if (i >= 0 && view && !view.place.has(i)) reveal(i);
  mark();
  details(i);
  remember();
  draw();
  if (i >= 0 && move) show(i);
}

// A node that the filters hide is shown all the same: they give way.
function reveal(i) {
  state.kinds.add(nodes[i].kind);
  if (state.focus >= 0) state.focus = i;
  if (!matches(nodes[i])) state.folder = state.tag = "";
  syncControls();
  relayout(true);
}

function focus(i) {
  state.focus = i;
  if (i >= 0) state.selected = i;
  $("focusbar").hidden = i < 0;
  if (i >= 0) {
    state.kinds.add(nodes[i].kind);
    $("focusname").textContent = nodes[i].label;
    $("up").value = state.up === Infinity ? "" : state.up;
    $("down").value = state.down === Infinity ? "" : state.down;
  }
  syncControls();
  details(state.selected);
  relayout();
  remember();
  if (i < 0 && state.selected >= 0) show(state.selected);
}

function depth(side, value) {
  state[side] = value === "" || Number.isNaN(+value) ? Infinity : Math.max(0, Math.floor(+value));
  if (state.focus >= 0) focus(state.focus);
}

// ---------------------------------------------------------------- the details pane

function links(title, list, limit = 60) {
  if (!list.length) return [];
  const items = list.slice(0, limit).map(i => {
    const n = nodes[i];
    return el("li", {}, el("button", { type: "button", onclick: () => select(i, true) }, n.label),
      el("small", {}, n.kind.replace("_", " ") + (n.status ? ", " + n.status : "")));
  });
  if (list.length > limit) items.push(el("li", {}, el("small", {}, "and " + (list.length - limit) + " more")));
  return [el("h3", {}, title + " (" + list.length + ")"), el("ul", { className: "links" }, ...items)];
}

const WORDS = new Set(("select from where group by order having limit join left right inner outer full cross on as and or not in is null case when then else end " +
  "with union all distinct over partition between like exists cast true false using qualify window rows range insert update delete create table view").split(" "));
function sql(text) {
  const pre = el("pre"), pattern = /(--[^\n]*|\/\*[\s\S]*?\*\/|\{#[\s\S]*?#\})|('(?:[^'\\]|\\.|'')*')|([A-Za-z_]+)|[^]/g;
  let plain = "";
  const flush = () => { if (plain) pre.append(plain); plain = ""; };
  for (const m of text.matchAll(pattern)) {
    const c = m[1] ? "r" : m[2] ? "s" : m[3] && WORDS.has(m[3].toLowerCase()) ? "k" : "";
    if (!c) { plain += m[0]; continue; }
    flush();
    pre.append(el("span", { className: c }, m[0]));
  }
  flush();
  return pre;
}

function facts(n) {
  const rows = [
    ["Path", n.path], ["Package", n.package], ["Table", n.relation], ["Group", n.group], ["Access", n.access],
    ["Last run", n.status ? n.status + (n.seconds !== undefined ? " in " + seconds(n.seconds) : "") : ""],
    ["Wave", n.wave !== undefined ? String(n.wave + 1) : ""],
  ];
  const dl = el("dl");
  for (const [k, v] of rows)
    if (v) dl.append(el("dt", {}, k), el("dd", { className: k === "Path" || k === "Table" ? "mono" : "" }, v));
  return dl;
}

function details(i) {
  const pane = $("details");
  pane.hidden = i < 0;
  pane.replaceChildren();
  if (i < 0) return;
  const n = nodes[i], isTest = t => TESTS.has(nodes[t].kind);
  pane.append(
    el("button", { className: "close", type: "button", title: "Close (Esc)", onclick: () => select(-1) }, "\u00d7"),
    el("h2", {}, n.label),
    el("div", {}, el("span", { className: "pill" }, n.kind.replace("_", " ")),
      n.materialized && n.materialized !== n.kind ? el("span", { className: "pill" }, n.materialized) : null,
      n.critical ? el("span", { className: "pill" }, "critical path") : null,
      ...n.tags.map(t => el("span", { className: "pill" }, "tag:" + t))),
    el("div", { className: "row" },
      el("button", { type: "button", onclick: () => focus(state.focus === i ? -1 : i) }, state.focus === i ? "Show all" : "Focus (f)"),
      el("button", { type: "button", onclick: () => show(i) }, "Centre"),
      el("button", { type: "button", onclick: e => copy(e.target, n.id) }, "Copy id")));
  if (n.description) pane.append(el("p", {}, n.description));
  pane.append(facts(n));
  if (n.columns) {
    const table = el("table", { className: "columns" });
    for (const [name, type, text] of n.columns)
      table.append(el("tr", {}, el("td", {}, name), el("td", {}, type || ""), el("td", {}, text || "")));
    pane.append(el("h3", {}, "Columns (" + n.columns.length + ")"), table);
  }
  pane.append(...links("Tests", n.down.filter(isTest)));
  pane.append(...links("Reads", n.up));
  pane.append(...links("Read by", n.down.filter(t => !isTest(t))));
  if (n.sql) pane.append(el("h3", {}, "SQL"), sql(n.sql));
  pane.scrollTop = 0;
}

function copy(button, text) {
  const done = () => { button.textContent = "Copied"; setTimeout(() => { button.textContent = "Copy id"; }, 1200); };
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, () => {});
}

// ---------------------------------------------------------------- search

let hits = [], hitAt = 0;
const haystack = nodes.map(n => [n.label, n.id, n.path, n.tags.map(t => "tag:" + t).join(" "),
  (n.columns || []).map(c => c[0]).join(" ")].join("\n").toLowerCase());
function search(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const score = n => {
    const l = n.label.toLowerCase(), w = words[0];
    return (l === w ? 0 : l.startsWith(w) ? 1 : l.includes(w) ? 2 : 3) + (TESTS.has(n.kind) ? 4 : 0);
  };
  hits = words.length ? nodes.filter(n => words.every(w => haystack[n.at].includes(w)))
    .map(n => [score(n), n]).sort((a, b) => a[0] - b[0] || a[1].label.length - b[1].label.length || a[1].at - b[1].at)
    .slice(0, 40).map(h => h[1]) : [];
  hitAt = 0;
  showHits();
}

function showHits() {
  const list = $("hits");
  list.hidden = !hits.length;
  $("q").setAttribute("aria-expanded", String(hits.length > 0));
  list.replaceChildren(...hits.map((n, k) => el("li", {
    role: "option", id: "hit" + k, "aria-selected": String(k === hitAt), onpointerdown: e => { e.preventDefault(); takeHit(k); },
  }, n.label, el("small", {}, n.kind.replace("_", " ") + "  " + (n.path || "")))));
  $("q").setAttribute("aria-activedescendant", hits.length ? "hit" + hitAt : "");
  list.children[hitAt]?.scrollIntoView({ block: "nearest" });
}

function takeHit(k, focused) {
  const n = hits[k];
  if (!n) return;
  hits = [];
  showHits();
  $("q").blur();
  canvas.focus({ preventScroll: true });
  if (focused) focus(n.at);
  else select(n.at, true);
}

$("q").addEventListener("input", e => search(e.target.value));
$("q").addEventListener("focus", e => search(e.target.value));
$("q").addEventListener("blur", () => { hits = []; showHits(); });
$("q").addEventListener("keydown", e => {
  if (e.key === "ArrowDown" || e.key === "ArrowUp") {
    if (hits.length) hitAt = (hitAt + (e.key === "ArrowDown" ? 1 : hits.length - 1)) % hits.length;
    showHits();
    e.preventDefault();
  } else if (e.key === "Enter") {
    takeHit(hitAt, e.shiftKey);
  } else if (e.key === "Escape") {
    e.target.blur();
    canvas.focus({ preventScroll: true });
  }
  e.stopPropagation();
});

// ---------------------------------------------------------------- controls

function option(value, text, n) {
  return el("option", { value }, n === undefined ? text : text + " (" + n + ")");
}

function countBy(values) {
  const m = new Map();
  for (const v of values) m.set(v, (m.get(v) || 0) + 1);
  return m;
}

function buildControls() {
  const kinds = countBy(nodes.map(n => n.kind));
  for (const k of data.kinds)
    $("kinds").append(el("label", {}, el("input", {
      type: "checkbox", value: k.id, checked: state.kinds.has(k.id),
      onchange: e => { state.kinds[e.target.checked ? "add" : "delete"](k.id); syncControls(); relayout(); remember(); },
    }), k.name, el("span", {}, String(kinds.get(k.id)))));
  const folders = new Map();
  for (const n of nodes) {
    if (TESTS.has(n.kind)) continue;
    const parts = n.folder.split("/");
    parts.forEach((_, k) => { const f = parts.slice(0, k + 1).join("/"); folders.set(f, (folders.get(f) || 0) + 1); });
  }
  $("folder").append(option("", "all folders"), ...[...folders].sort((a, b) => a[0] < b[0] ? -1 : 1).map(([f, n]) => option(f, f, n)));
  const tags = countBy(nodes.flatMap(n => n.tags));
  $("tag").append(option("", "all tags"), ...[...tags].sort((a, b) => a[0] < b[0] ? -1 : 1).map(([t, n]) => option(t, t, n)));
  $("tag").hidden = !tags.size;
  const runs = nodes.some(n => n.status) || state.colour === "status" || state.colour === "time";
  $("colour").append(option("kind", "colour: kind"), option("folder", "colour: folder"));
  if (runs) $("colour").append(option("status", "colour: status"), option("time", "colour: time"));
  $("tests").hidden = !nodes.some(n => TESTS.has(n.kind));
  $("critical").hidden = !nodes.some(n => n.critical);
  $("folder").onchange = e => { state.folder = e.target.value; focus(-1); };
  $("tag").onchange = e => { state.tag = e.target.value; focus(-1); };
  $("colour").onchange = e => { state.colour = e.target.value; colours(); draw(); remember(); };
  $("tests").onclick = toggleTests;
  $("critical").onclick = toggleCritical;
  $("theme").onclick = () => {
    document.documentElement.dataset.theme = theme.dark ? "light" : "dark";
    readTheme();
    colours();
    draw();
  };
  $("help").onclick = () => $("keys").showModal();
  $("up").onchange = e => depth("up", e.target.value);
  $("down").onchange = e => depth("down", e.target.value);
  $("unfocus").onclick = () => focus(-1);
  $("in").onclick = () => { const [w, h] = stageSize(); zoomAt(w / 2, h / 2, 1.4); };
  $("out").onclick = () => { const [w, h] = stageSize(); zoomAt(w / 2, h / 2, 1 / 1.4); };
  $("fit").onclick = () => fitView(true);
}

function syncControls() {
  for (const box of $("kinds").querySelectorAll("input")) box.checked = state.kinds.has(box.value);
  $("folder").value = state.folder;
  $("tag").value = state.tag;
  $("colour").value = state.colour;
  $("tests").setAttribute("aria-pressed", String([...TESTS].some(t => state.kinds.has(t))));
  $("critical").setAttribute("aria-pressed", String(state.critical));
}

function toggleTests() {
  const on = ![...TESTS].some(t => state.kinds.has(t));
  for (const t of TESTS) state.kinds[on ? "add" : "delete"](t);
  syncControls();
  relayout(state.selected >= 0);
  if (state.selected >= 0) show(state.selected);
  remember();
}

function toggleCritical() {
  state.critical = !state.critical;
  if (state.critical) select(-1);
  syncControls();
  draw();
}

// The address keeps what is shown, so that a link shows the same.
function remember() {
  const p = new URLSearchParams();
  if (state.focus >= 0) {
    p.set("focus", nodes[state.focus].id);
    p.set("up", state.up === Infinity ? "all" : state.up);
    p.set("down", state.down === Infinity ? "all" : state.down);
  } else if (state.selected >= 0) {
    p.set("node", nodes[state.selected].id);
  }
  if (state.folder) p.set("folder", state.folder);
  if (state.tag) p.set("tag", state.tag);
  if (state.colour !== data.colour_by) p.set("colour", state.colour);
  if ([...TESTS].some(t => state.kinds.has(t))) p.set("tests", "1");
  const hash = p.toString();
  if (hash === location.hash.slice(1)) return;
  try { history.replaceState(null, "", "#" + hash); } catch (e) { /* a page without an address of its own */ }
}

function recall() {
  const p = new URLSearchParams(location.hash.slice(1)), at = id => nodes.findIndex(n => n.id === id);
  const steps = s => s === "all" ? Infinity : Math.max(0, parseInt(s || "2", 10) || 0);
  state.folder = p.get("folder") || "";
  state.tag = p.get("tag") || "";
  if (p.get("colour")) state.colour = p.get("colour");
  if (p.get("tests")) for (const t of TESTS) state.kinds.add(t);
  if (p.get("up")) state.up = steps(p.get("up"));
  if (p.get("down")) state.down = steps(p.get("down"));
  return { focus: p.get("focus") ? at(p.get("focus")) : -1, node: p.get("node") ? at(p.get("node")) : -1 };
}

// ---------------------------------------------------------------- mouse, touch, keyboard

const pointers = new Map();
let pressed = null;
canvas.addEventListener("pointerdown", e => {
  canvas.setPointerCapture(e.pointerId);
  pointers.set(e.pointerId, [e.offsetX, e.offsetY]);
  pressed = { x: e.offsetX, y: e.offsetY, moved: false };
  landed = ++flight;
});
canvas.addEventListener("pointermove", e => {
  const was = pointers.get(e.pointerId);
  if (!was) {
    const i = nodeAt(e.offsetX, e.offsetY);
    if (i !== hover) {
      hover = i;
      canvas.classList.toggle("over", i >= 0);
      canvas.title = i >= 0 ? nodes[i].id : "";
      draw();
    }
    return;
  }
  const now = [e.offsetX, e.offsetY];
  if (pointers.size === 2) {
    const other = [...pointers].find(([id]) => id !== e.pointerId)[1];
    const d = p => Math.hypot(p[0] - other[0], p[1] - other[1]) || 1;
    zoomAt((now[0] + other[0]) / 2, (now[1] + other[1]) / 2, d(now) / d(was));
  } else if (pressed.moved || Math.hypot(now[0] - pressed.x, now[1] - pressed.y) > 4) {
    cam.x += now[0] - was[0];
    cam.y += now[1] - was[1];
    pressed.moved = true;
    canvas.classList.add("drag");
    draw();
  }
  if (pressed.moved || pointers.size === 2) pointers.set(e.pointerId, now);
});
const lift = e => {
  pointers.delete(e.pointerId);
  canvas.classList.remove("drag");
  if (e.type === "pointerup" && pressed && !pressed.moved) select(nodeAt(e.offsetX, e.offsetY));
  pressed = null;
};
canvas.addEventListener("pointerup", lift);
canvas.addEventListener("pointercancel", lift);
canvas.addEventListener("dblclick", e => { const i = nodeAt(e.offsetX, e.offsetY); if (i >= 0) focus(i); });
canvas.addEventListener("wheel", e => {
  e.preventDefault();
  if (e.shiftKey) { cam.x -= e.deltaY + e.deltaX; draw(); return; }
  zoomAt(e.offsetX, e.offsetY, Math.exp(-e.deltaY * (e.ctrlKey ? 0.01 : 0.0016)));
}, { passive: false });

// The nearest visible neighbour: left and right along edges, up and down in the column.
function step(key) {
  if (state.selected < 0) {
    if (view.list.length) select(view.list[0], true);
    return;
  }
  const k = view.place.get(state.selected);
  const gap = q => Math.abs(view.y[q] - view.y[k]);
  let to = [];
  if (key === "ArrowLeft") to = view.from.filter((_, e) => view.to[e] === k);
  else if (key === "ArrowRight") to = view.to.filter((_, e) => view.from[e] === k);
  else for (let q = 0; q < view.list.length; q++)
    if (q !== k && view.column[q] === view.column[k] && (key === "ArrowUp") === (view.y[q] < view.y[k])) to.push(q);
  if (to.length) select(view.list[to.reduce((a, b) => gap(b) < gap(a) ? b : a)], true);
}

const keys = {
  "/": () => { $("q").focus(); $("q").select(); },
  f: () => state.selected >= 0 && focus(state.focus === state.selected ? -1 : state.selected),
  t: toggleTests, c: toggleCritical, "0": () => fitView(true), "?": () => $("keys").showModal(),
  "+": () => $("in").click(), "=": () => $("in").click(), "-": () => $("out").click(),
  "[": () => { state.up = state.up === Infinity ? 1 : state.up + 1; state.focus >= 0 && focus(state.focus); },
  "{": () => { state.up = Math.max(0, state.up === Infinity ? 2 : state.up - 1); state.focus >= 0 && focus(state.focus); },
  "]": () => { state.down = state.down === Infinity ? 1 : state.down + 1; state.focus >= 0 && focus(state.focus); },
  "}": () => { state.down = Math.max(0, state.down === Infinity ? 2 : state.down - 1); state.focus >= 0 && focus(state.focus); },
  Enter: () => state.selected >= 0 && show(state.selected),
  Escape: () => {
    if (state.selected >= 0 && state.focus < 0) select(-1);
    else if (state.focus >= 0) focus(-1);
    else if (state.critical) toggleCritical();
  },
};
document.addEventListener("keydown", e => {
  if (e.ctrlKey || e.metaKey || e.altKey || $("keys").open) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) return;
  if (/^Arrow/.test(e.key)) { step(e.key); e.preventDefault(); return; }
  if (e.key === "Enter" && e.target.tagName === "BUTTON") return;
  if (keys[e.key]) { keys[e.key](); e.preventDefault(); }
});
document.addEventListener("click", e => {
  for (const m of document.querySelectorAll("details.menu[open]")) if (!m.contains(e.target)) m.open = false;
});
new ResizeObserver(() => { if (view) { draw(); keepInSight(); } }).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readTheme(); colours(); draw(); });

// ---------------------------------------------------------------- start

data.kinds = data.kinds.filter(k => nodes.some(n => n.kind === k.id));
readTheme();
const wanted = recall();
buildControls();
syncControls();
relayout();
if (wanted.focus >= 0) focus(wanted.focus);
else if (wanted.node >= 0) select(wanted.node, true);
else if (nodes.some(n => n.focus)) { select(nodes.findIndex(n => n.focus)); fitView(); }
