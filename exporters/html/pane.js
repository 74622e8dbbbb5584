// pane.js -- what is told of a node, and the search for one.

// ---------------------------------------------------------------- the details pane

function links(title, list, limit = 60) {
  if (!list.length) return [];
  const items = list.slice(0, limit).map(i => {
    const n = nodes[i];
    return el(
      "li",
      {},
      el("button", { type: "button", onclick: () => select(i, true) }, n.label),
      el("small", {}, n.kind.replace("_", " ") + (n.status ? ", " + n.status : "")),
    );
  });
  if (list.length > limit)
    items.push(el("li", {}, el("small", {}, "and " + (list.length - limit) + " more")));
  return [
    el("h3", {}, title + " (" + list.length + ")"),
    el("ul", { className: "links" }, ...items),
  ];
}

const WORDS = new Set(
  (
    "select from where group by order having limit join left right inner outer full cross on as " +
    "and or not in is null case when then else end with union all distinct over partition " +
    "between like exists cast true false using qualify window rows range insert update delete " +
    "create table view"
  ).split(" "),
);
function sql(text) {
  const pre = el("pre"),
    pattern = /(--[^\n]*|\/\*[\s\S]*?\*\/|\{#[\s\S]*?#\})|('(?:[^'\\]|\\.|'')*')|([A-Za-z_]+)|[^]/g;
  let plain = "";
  const flush = () => {
    if (plain) pre.append(plain);
    plain = "";
  };
  for (const m of text.matchAll(pattern)) {
    const c = m[1] ? "r" : m[2] ? "s" : m[3] && WORDS.has(m[3].toLowerCase()) ? "k" : "";
    if (!c) {
      plain += m[0];
      continue;
    }
    flush();
    pre.append(el("span", { className: c }, m[0]));
  }
  flush();
  return pre;
}

function facts(n) {
  const rows = [
    ["Path", n.path],
    ["Package", n.package],
    ["Table", n.relation],
    ["Group", n.group],
    ["Access", n.access],
    [
      "Last run",
      n.status ? n.status + (n.seconds !== undefined ? " in " + seconds(n.seconds) : "") : "",
    ],
    ["Wave", n.wave !== undefined ? String(n.wave + 1) : ""],
  ];
  const dl = el("dl");
  for (const [k, v] of rows)
    if (v)
      dl.append(
        el("dt", {}, k),
        el("dd", { className: k === "Path" || k === "Table" ? "mono" : "" }, v),
      );
  return dl;
}

function details(i) {
  const pane = $("details");
  pane.hidden = i < 0;
  pane.replaceChildren();
  if (i < 0) return;
  const n = nodes[i],
    isTest = t => TESTS.has(nodes[t].kind);
  pane.append(
    el(
      "button",
      { className: "close", type: "button", title: "Close (Esc)", onclick: () => select(-1) },
      "\u00d7",
    ),
    el("h2", {}, n.label),
    el(
      "div",
      {},
      el("span", { className: "pill" }, n.kind.replace("_", " ")),
      n.materialized && n.materialized !== n.kind
        ? el("span", { className: "pill" }, n.materialized)
        : null,
      n.critical ? el("span", { className: "pill" }, "critical path") : null,
      ...n.tags.map(t => el("span", { className: "pill" }, "tag:" + t)),
    ),
    el(
      "div",
      { className: "row" },
      el(
        "button",
        { type: "button", onclick: () => focus(state.focus === i ? -1 : i) },
        state.focus === i ? "Show all" : "Focus (f)",
      ),
      el("button", { type: "button", onclick: () => show(i) }, "Centre"),
      el("button", { type: "button", onclick: e => copy(e.target, n.id) }, "Copy id"),
    ),
  );
  if (n.description) pane.append(el("p", {}, n.description));
  pane.append(facts(n));
  if (n.columns) {
    const table = el("table", { className: "columns" });
    for (const [name, type, text] of n.columns)
      table.append(
        el("tr", {}, el("td", {}, name), el("td", {}, type || ""), el("td", {}, text || "")),
      );
    pane.append(el("h3", {}, "Columns (" + n.columns.length + ")"), table);
  }
  pane.append(...links("Tests", n.down.filter(isTest)));
  pane.append(...links("Reads", n.up));
  pane.append(
    ...links(
      "Read by",
      n.down.filter(t => !isTest(t)),
    ),
  );
  if (n.sql) pane.append(el("h3", {}, "SQL"), sql(n.sql));
  pane.scrollTop = 0;
}

function copy(button, text) {
  const done = () => {
    button.textContent = "Copied";
    setTimeout(() => {
      button.textContent = "Copy id";
    }, 1200);
  };
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, () => {});
}

// ---------------------------------------------------------------- search

let hits = [],
  hitAt = 0;
const haystack = nodes.map(n =>
  [
    n.label,
    n.id,
    n.path,
    n.tags.map(t => "tag:" + t).join(" "),
    (n.columns || []).map(c => c[0]).join(" "),
  ]
    .join("\n")
    .toLowerCase(),
);
function search(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const score = n => {
    const l = n.label.toLowerCase(),
      w = words[0];
    return (
      (l === w ? 0 : l.startsWith(w) ? 1 : l.includes(w) ? 2 : 3) + (TESTS.has(n.kind) ? 4 : 0)
    );
  };
  hits = words.length
    ? nodes
        .filter(n => words.every(w => haystack[n.at].includes(w)))
        .map(n => [score(n), n])
        .sort((a, b) => a[0] - b[0] || a[1].label.length - b[1].label.length || a[1].at - b[1].at)
        .slice(0, 40)
        .map(h => h[1])
    : [];
  hitAt = 0;
  showHits();
}

function showHits() {
  const list = $("hits");
  list.hidden = !hits.length;
  $("q").setAttribute("aria-expanded", String(hits.length > 0));
  list.replaceChildren(
    ...hits.map((n, k) =>
      el(
        "li",
        {
          role: "option",
          id: "hit" + k,
          "aria-selected": String(k === hitAt),
          onpointerdown: e => {
            e.preventDefault();
            takeHit(k);
          },
        },
        n.label,
        el("small", {}, n.kind.replace("_", " ") + "  " + (n.path || "")),
      ),
    ),
  );
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
$("q").addEventListener("blur", () => {
  hits = [];
  showHits();
});
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
