// controls.js -- filters, the address, mouse, touch and keyboard; and the start of it all.

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
    $("kinds").append(
      el(
        "label",
        {},
        el("input", {
          type: "checkbox",
          value: k.id,
          checked: state.kinds.has(k.id),
          onchange: e => {
            state.kinds[e.target.checked ? "add" : "delete"](k.id);
            syncControls();
            relayout();
            remember();
          },
        }),
        k.name,
        el("span", {}, String(kinds.get(k.id))),
      ),
    );
  const folders = new Map();
  for (const n of nodes) {
    if (TESTS.has(n.kind)) continue;
    const parts = n.folder.split("/");
    parts.forEach((_, k) => {
      const f = parts.slice(0, k + 1).join("/");
      folders.set(f, (folders.get(f) || 0) + 1);
    });
  }
  $("folder").append(
    option("", "all folders"),
    ...[...folders].sort((a, b) => (a[0] < b[0] ? -1 : 1)).map(([f, n]) => option(f, f, n)),
  );
  const tags = countBy(nodes.flatMap(n => n.tags));
  $("tag").append(
    option("", "all tags"),
    ...[...tags].sort((a, b) => (a[0] < b[0] ? -1 : 1)).map(([t, n]) => option(t, t, n)),
  );
  $("tag").hidden = !tags.size;
  const runs = nodes.some(n => n.status) || state.colour === "status" || state.colour === "time";
  $("colour").append(option("kind", "colour: kind"), option("folder", "colour: folder"));
  if (runs) $("colour").append(option("status", "colour: status"), option("time", "colour: time"));
  $("tests").hidden = !nodes.some(n => TESTS.has(n.kind));
  $("critical").hidden = !nodes.some(n => n.critical);
  $("folder").onchange = e => {
    state.folder = e.target.value;
    focus(-1);
  };
  $("tag").onchange = e => {
    state.tag = e.target.value;
    focus(-1);
  };
  $("colour").onchange = e => {
    state.colour = e.target.value;
    colours();
    draw();
    remember();
  };
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
  $("in").onclick = () => {
    const [w, h] = stageSize();
    zoomAt(w / 2, h / 2, 1.4);
  };
  $("out").onclick = () => {
    const [w, h] = stageSize();
    zoomAt(w / 2, h / 2, 1 / 1.4);
  };
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
  try {
    history.replaceState(null, "", "#" + hash);
  } catch (e) {
    /* a page without an address of its own */
  }
}

function recall() {
  const p = new URLSearchParams(location.hash.slice(1)),
    at = id => nodes.findIndex(n => n.id === id);
  const steps = s => (s === "all" ? Infinity : Math.max(0, parseInt(s || "2", 10) || 0));
  state.folder = p.get("folder") || "";
  state.tag = p.get("tag") || "";
  if (p.get("colour")) state.colour = p.get("colour");
  if (p.get("tests")) for (const t of TESTS) state.kinds.add(t);
  if (p.get("up")) state.up = steps(p.get("up"));
  if (p.get("down")) state.down = steps(p.get("down"));
  return {
    focus: p.get("focus") ? at(p.get("focus")) : -1,
    node: p.get("node") ? at(p.get("node")) : -1,
  };
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
canvas.addEventListener("dblclick", e => {
  const i = nodeAt(e.offsetX, e.offsetY);
  if (i >= 0) focus(i);
});
canvas.addEventListener(
  "wheel",
  e => {
    e.preventDefault();
    if (e.shiftKey) {
      cam.x -= e.deltaY + e.deltaX;
      draw();
      return;
    }
    zoomAt(e.offsetX, e.offsetY, Math.exp(-e.deltaY * (e.ctrlKey ? 0.01 : 0.0016)));
  },
  { passive: false },
);

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
  else
    for (let q = 0; q < view.list.length; q++)
      if (
        q !== k &&
        view.column[q] === view.column[k] &&
        (key === "ArrowUp") === view.y[q] < view.y[k]
      )
        to.push(q);
  if (to.length) select(view.list[to.reduce((a, b) => (gap(b) < gap(a) ? b : a))], true);
}

const keys = {
  "/": () => {
    $("q").focus();
    $("q").select();
  },
  f: () => state.selected >= 0 && focus(state.focus === state.selected ? -1 : state.selected),
  t: toggleTests,
  c: toggleCritical,
  0: () => fitView(true),
  "?": () => $("keys").showModal(),
  "+": () => $("in").click(),
  "=": () => $("in").click(),
  "-": () => $("out").click(),
  "[": () => {
    state.up = state.up === Infinity ? 1 : state.up + 1;
    state.focus >= 0 && focus(state.focus);
  },
  "{": () => {
    state.up = Math.max(0, state.up === Infinity ? 2 : state.up - 1);
    state.focus >= 0 && focus(state.focus);
  },
  "]": () => {
    state.down = state.down === Infinity ? 1 : state.down + 1;
    state.focus >= 0 && focus(state.focus);
  },
  "}": () => {
    state.down = Math.max(0, state.down === Infinity ? 2 : state.down - 1);
    state.focus >= 0 && focus(state.focus);
  },
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
  if (/^Arrow/.test(e.key)) {
    step(e.key);
    e.preventDefault();
    return;
  }
  if (e.key === "Enter" && e.target.tagName === "BUTTON") return;
  if (keys[e.key]) {
    keys[e.key]();
    e.preventDefault();
  }
});
document.addEventListener("click", e => {
  for (const m of document.querySelectorAll("details.menu[open]"))
    if (!m.contains(e.target)) m.open = false;
});
new ResizeObserver(() => {
  if (view) {
    draw();
    keepInSight();
  }
}).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  readTheme();
  colours();
  draw();
});

// ---------------------------------------------------------------- start

data.kinds = data.kinds.filter(k => nodes.some(n => n.kind === k.id));
readTheme();
const wanted = recall();
buildControls();
syncControls();
relayout();
if (wanted.focus >= 0) focus(wanted.focus);
else if (wanted.node >= 0) select(wanted.node, true);
else if (nodes.some(n => n.focus)) {
  select(nodes.findIndex(n => n.focus));
  fitView();
}
