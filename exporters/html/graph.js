// graph.js -- the interactive lineage: its data, which nodes are visible, and in what colours.
// stage.js draws them, pane.js tells of them, controls.js listens: one script, in this order.
// The data stands in <script id="data">; everything of it reaches the page as text, never as HTML.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const nodes = data.nodes,
  edges = data.edges,
  hues = data.hues;
const $ = id => document.getElementById(id);
const canvas = $("canvas"),
  ctx = canvas.getContext("2d");
const LETTER = 6.63,
  PAD = 10,
  BOX = LAYOUT.height;
const FONT = "11px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace";
const TESTS = new Set(["test", "unit_test"]);

// ---------------------------------------------------------------- the graph

nodes.forEach((n, i) => {
  n.at = i;
  n.up = [];
  n.down = [];
  n.far = new Set();
});
edges.forEach(([a, b, far]) => {
  nodes[a].down.push(b);
  nodes[b].up.push(a);
  if (far) nodes[b].far.add(a);
});

function el(tag, props, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(props || {})) k in e ? (e[k] = v) : e.setAttribute(k, v);
  e.append(...children.filter(c => c !== null && c !== undefined));
  return e;
}

function seconds(s) {
  if (s < 0.095 && s > 0) return Math.max(0.01, Math.round(s * 100) / 100) + " s";
  if (s < 9.95) return Math.round(s * 10) / 10 + " s";
  if (s < 59.5) return Math.round(s) + " s";
  if (s < 3600) return Math.floor(s / 60) + " min " + Math.round(s % 60) + " s";
  return Math.floor(s / 3600) + " h " + Math.floor((s % 3600) / 60) + " min";
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
        if (!seen.has(t) && (!allowed || allowed(t))) {
          seen.add(t);
          next.push(t);
        }
    wave = next;
  }
  return seen;
}

// ---------------------------------------------------------------- state

const state = {
  kinds: new Set(data.kinds.map(k => k.id).filter(k => !TESTS.has(k) && k !== "analysis")),
  folder: "",
  tag: "",
  colour: data.colour_by,
  critical: false,
  selected: -1,
  focus: -1,
  up: 2,
  down: 2,
};
let view = null; // what is laid out: see relayout()
let cam = { x: 0, y: 0, k: 1 };
let hover = -1,
  near = null; // near: nodes tied to the selected one
let theme = {};

function matches(n) {
  return (
    state.kinds.has(n.kind) &&
    (!state.folder || n.folder === state.folder || n.folder.startsWith(state.folder + "/")) &&
    (!state.tag || n.tags.includes(state.tag))
  );
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
  const place = new Int32Array(nodes.length).fill(-1),
    from = [],
    to = [],
    through = [];
  list.forEach((i, k) => {
    place[i] = k;
  });
  const seen = new Int32Array(nodes.length).fill(-1);
  for (const i of list) {
    const todo = [[nodes[i], false]];
    while (todo.length) {
      const [n, hidden] = todo.pop();
      for (const u of n.up) {
        if (seen[u] === i) continue;
        seen[u] = i;
        if (place[u] >= 0) {
          from.push(place[u]);
          to.push(place[i]);
          through.push(hidden || n.far.has(u));
        } else todo.push([nodes[u], true]);
      }
    }
  }
  return { from, to, through };
}

// The edges of the critical path as far as its nodes are visible; from one task to the next it may
// lead over visible nodes that are no tasks (ephemeral models).
function criticalEdges(list, place, e) {
  const out = list.map(() => []),
    marks = new Array(e.from.length).fill(false);
  e.from.forEach((f, k) => out[f].push(k));
  const path = data.critical_path.filter(i => place.has(i)).map(i => place.get(i));
  for (let p = 1; p < path.length; p++) {
    const came = new Map([[path[p - 1], -1]]),
      queue = [path[p - 1]];
    for (let h = 0; h < queue.length && !came.has(path[p]); h++)
      for (const k of out[queue[h]]) {
        const t = e.to[k];
        if (came.has(t) || (t !== path[p] && nodes[list[t]].wave !== undefined)) continue;
        came.set(t, k);
        queue.push(t);
      }
    for (let k = came.has(path[p]) ? came.get(path[p]) : -1; k >= 0; k = came.get(e.from[k]))
      marks[k] = true;
  }
  return marks;
}

function relayout(keep) {
  const list = visibleNodes(),
    e = visibleEdges(list);
  const labels = list.map(i => fit(nodes[i].label)),
    widths = labels.map(width);
  const l = layoutGraph(list.length, widths, e.from, e.to);
  const box = l.routes.map(r => {
    let a = Infinity,
      b = -Infinity;
    for (let k = 1; k < r.length; k += 2) {
      a = Math.min(a, r[k]);
      b = Math.max(b, r[k]);
    }
    return [r[0], a, r[r.length - 2], b];
  });
  const place = new Map(list.map((i, k) => [i, k]));
  view = { list, place, labels, widths, ...e, ...l, box, critical: criticalEdges(list, place, e) };
  $("empty").hidden = list.length > 0;
  $("counts").textContent =
    list.length + " of " + nodes.length + " nodes, " + e.from.length + " edges";
  if (state.selected >= 0 && !place.has(state.selected)) select(-1);
  mark();
  if (!keep) fitView();
  colours();
  draw();
}

// ---------------------------------------------------------------- colours

const STATUS = {
  success: ["succeeded", "green"],
  pass: ["succeeded", "green"],
  "no-op": ["nothing to do", "sky"],
  reused: ["nothing to do", "sky"],
  warn: ["warned", "amber"],
  error: ["failed", "red"],
  fail: ["failed", "red"],
  "runtime error": ["failed", "red"],
  "partial success": ["partly failed", "orange"],
  skipped: ["skipped", "purple"],
};
const FOLDER_HUES = [
  "green",
  "amber",
  "blue",
  "purple",
  "orange",
  "pink",
  "teal",
  "indigo",
  "violet",
  "sky",
  "lime",
];
const TIME_HUES = ["sky", "green", "amber", "orange", "red"];

function colours() {
  const classes = new Map(),
    shown = view.list.map(i => nodes[i]);
  const add = (name, hue) => {
    if (!classes.has(name)) classes.set(name, { hue, n: 0 });
    return name;
  };
  let of;
  if (state.colour === "status") {
    of = n => (n.status in STATUS ? add(...STATUS[n.status]) : add("no result", "grey"));
  } else if (state.colour === "time") {
    const times = shown.filter(n => n.seconds > 0).map(n => n.seconds);
    const low = Math.min(...times),
      high = Math.max(...times);
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
    of = n => (rank.get(n.folder) < 11 ? n.folder : add("other folders", "grey"));
  } else {
    data.kinds.forEach(k => add(k.name, k.hue));
    const names = new Map(data.kinds.map(k => [k.id, k.name]));
    of = n => names.get(n.kind);
  }
  view.hue = shown.map(n => {
    const c = classes.get(of(n));
    c.n++;
    return c.hue;
  });
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
  const css = getComputedStyle(document.documentElement),
    v = name => css.getPropertyValue(name).trim();
  const set = document.documentElement.dataset.theme;
  const dark = set ? set === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  theme = {
    page: v("--page"),
    text: v("--text"),
    dim: v("--dim"),
    edge: v("--edge"),
    accent: v("--accent"),
    critical: v("--critical"),
    dark,
    hues: {},
  };
  for (const [name, h] of Object.entries(hues))
    theme.hues[name] = dark ? [h[2], h[3]] : [h[0], h[1]];
}
