// stage.js -- the canvas: drawing, moving about, selecting and focusing.

// ---------------------------------------------------------------- the canvas

let pending = false;
function draw() {
  if (pending) return;
  pending = true;
  requestAnimationFrame(() => {
    pending = false;
    paint();
  });
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
  const [w, h] = stageSize(),
    x0 = -cam.x / cam.k,
    y0 = -cam.y / cam.k,
    x1 = x0 + w / cam.k,
    y1 = y0 + h / cam.k;
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
    const x = r[r.length - 2],
      y = r[r.length - 1];
    ctx.moveTo(x, y);
    ctx.lineTo(x - 6, y - 3);
    ctx.lineTo(x - 6, y + 3);
  }
  ctx.fill();
}

function paint() {
  const [w, h] = stageSize(),
    dpr = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(w * dpr) || canvas.height !== Math.round(h * dpr)) {
    canvas.width = Math.round(w * dpr);
    canvas.height = Math.round(h * dpr);
  }
  ctx.setTransform(dpr, 0, 0, dpr, 0, 0);
  ctx.fillStyle = theme.page;
  ctx.fillRect(0, 0, w, h);
  ctx.setTransform(dpr * cam.k, 0, 0, dpr * cam.k, dpr * cam.x, dpr * cam.y);
  const L = view.list,
    marked = near || state.critical;
  const lit = i => (near ? near.has(i) : !state.critical || nodes[i].critical);
  const litEdge = e =>
    near
      ? near.has(L[view.from[e]]) && near.has(L[view.to[e]]) && tied(L[view.from[e]], L[view.to[e]])
      : state.critical && view.critical[e];
  const fine = Math.max(1.2, 0.6 / cam.k);
  ctx.globalAlpha = marked ? 0.18 : 1;
  paintEdges(
    e => !view.through[e] && !(marked && litEdge(e)) && !(view.critical[e] && !marked),
    theme.edge,
    fine,
    false,
  );
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
  const x0 = -cam.x / cam.k,
    y0 = -cam.y / cam.k,
    x1 = x0 + w / cam.k,
    y1 = y0 + h / cam.k;
  const text = cam.k > 0.42,
    round = cam.k > 0.3;
  ctx.font = FONT;
  ctx.textBaseline = "middle";
  for (let k = 0; k < view.list.length; k++) {
    const x = view.x[k],
      y = view.y[k],
      bw = view.widths[k];
    if (x > x1 || x + bw < x0 || y > y1 || y + BOX < y0) continue;
    const i = view.list[k],
      n = nodes[i],
      [fill, line] = theme.hues[view.hue[k]];
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
let flight = 0,
  landed = 0;
function fly(to) {
  const from = { ...cam },
    start = performance.now(),
    id = ++flight;
  const step = now => {
    if (id !== flight) return;
    const t = calm ? 1 : Math.min(1, (now - start) / 220),
      s = t * (2 - t);
    cam = {
      x: from.x + (to.x - from.x) * s,
      y: from.y + (to.y - from.y) * s,
      k: from.k + (to.k - from.k) * s,
    };
    paint();
    if (t < 1) requestAnimationFrame(step);
    else landed = id;
  };
  requestAnimationFrame(step);
}

function fitView(animate) {
  const [w, h] = stageSize(),
    pad = Math.min(40, w / 24);
  let k = Math.min(
    (w - 2 * pad) / Math.max(view.width, 1),
    (h - 2 * pad - 40) / Math.max(view.height, 1),
    1.4,
  );
  let to;
  if (k < 0.2) {
    // too large to read as a whole: begin at its widest place
    k = Math.max(k, Math.min((w - 2 * pad) / Math.max(view.width, 1), 1));
    to = { k, x: pad, y: h / 2 - busiest() * k };
  } else {
    to = { k, x: (w - view.width * k) / 2, y: (h - view.height * k) / 2 };
  }
  if (animate) fly(to);
  else {
    landed = ++flight;
    cam = to;
  }
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
  cam = { k, x: x - ((x - cam.x) * k) / cam.k, y: y - ((y - cam.y) * k) / cam.k };
  draw();
}

function show(i) {
  const k = view.place.get(i),
    [w, h] = stageSize(),
    z = Math.max(cam.k, 0.9);
  if (k === undefined) return;
  fly({
    k: z,
    x: w / 2 - (view.x[k] + view.widths[k] / 2) * z,
    y: h / 2 - (view.y[k] + BOX / 2) * z,
  });
}

// The pane takes room from the stage: the selected node moves out from under it, and no further.
function keepInSight() {
  const k = view.place.get(state.selected),
    [w, h] = stageSize(),
    pad = 16;
  if (k === undefined || landed !== flight) return;
  const inside = (from, to, end) => Math.min(0, end - pad - to) || Math.max(0, pad - from);
  const left = cam.x + view.x[k] * cam.k,
    top = cam.y + view.y[k] * cam.k;
  const dx = inside(left, left + view.widths[k] * cam.k, w),
    dy = inside(top, top + BOX * cam.k, h);
  if (dx || dy) fly({ k: cam.k, x: cam.x + dx, y: cam.y + dy });
}

function nodeAt(px, py) {
  const x = (px - cam.x) / cam.k,
    y = (py - cam.y) / cam.k;
  for (let k = view.list.length - 1; k >= 0; k--)
    if (x >= view.x[k] && x <= view.x[k] + view.widths[k] && y >= view.y[k] && y <= view.y[k] + BOX)
      return view.list[k];
  return -1;
}

// ---------------------------------------------------------------- selecting and focusing

let upSet = new Set(),
  downSet = new Set();
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
