// layout.js -- places boxes in columns and routes the edges between them; the same method as
// exporters/layout.c (where the order of columns is igraph's), so that a part of the graph can be
// laid out anew in the browser. No DOM in here.
//
// input:  n boxes, widths[n], edges as from[] and to[] (acyclic), options
// output: {x, y: top left corners, width, height, routes: for each edge [x0, y0, x1, y1, ...]}
"use strict";

const LAYOUT = { height: 24, rowGap: 8, columnGap: 56, dummy: 7, sweeps: 16, minWidth: 900 };

function layoutColumns(n, from, to) {
  const column = new Int32Array(n),
    parents = new Int32Array(n),
    children = new Int32Array(n);
  const out = Array.from({ length: n }, () => []);
  for (let e = 0; e < from.length; e++) {
    out[from[e]].push(to[e]);
    children[from[e]]++;
    parents[to[e]]++;
  }
  const waits = parents.slice(),
    order = [];
  for (let i = 0; i < n; i++) if (!waits[i]) order.push(i);
  for (let h = 0; h < order.length; h++)
    for (const t of out[order[h]]) {
      column[t] = Math.max(column[t], column[order[h]] + 1);
      if (--waits[t] === 0) order.push(t);
    }
  // Who has more readers than sources stands next to its first reader.
  for (let h = order.length - 1; h >= 0; h--) {
    const b = order[h];
    if (children[b] > parents[b])
      column[b] = out[b].reduce((m, t) => Math.min(m, column[t]), 1e9) - 1;
  }
  return { column, loose: i => !parents[i] && !children[i] };
}

// Connected parts, the largest first: the number of the part of each box.
function layoutParts(n, from, to, loose) {
  const root = Int32Array.from({ length: n }, (_, i) => i);
  const find = i => {
    while (root[i] !== i) i = root[i] = root[root[i]];
    return i;
  };
  for (let e = 0; e < from.length; e++) {
    const a = find(from[e]),
      b = find(to[e]);
    root[Math.max(a, b)] = Math.min(a, b);
  }
  const sizes = new Map();
  for (let i = 0; i < n; i++) if (!loose(i)) sizes.set(find(i), (sizes.get(find(i)) || 0) + 1);
  const ranked = [...sizes].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  const rank = new Map(ranked.map(([r], k) => [r, k]));
  return { part: i => rank.get(find(i)), nparts: ranked.length };
}

// Orders each column by the mean place of the neighbours, to the right and back; keeps the best.
function layoutOrder(columns, left, right, part) {
  const place = new Float64Array(left.length);
  const settle = c =>
    c.forEach((i, k) => {
      place[i] = k;
    });
  const crossings = () => {
    let sum = 0;
    for (const c of columns) {
      // Edges to the next column, sorted by their start: count inversions of their ends.
      const ends = [];
      for (const i of c)
        for (const t of right[i].map(t => place[t]).sort((a, b) => a - b)) ends.push(t);
      let size = 1;
      while (size < c.length * 4 + 2) size *= 2;
      const max = ends.reduce((m, x) => Math.max(m, x), 0) + 1;
      const tree = new Int32Array(max + 1);
      for (let k = ends.length - 1; k >= 0; k--) {
        for (let q = ends[k]; q > 0; q -= q & -q) sum += tree[q];
        for (let q = ends[k] + 1; q <= max; q += q & -q) tree[q]++;
      }
    }
    return sum;
  };
  columns.forEach(settle);
  let best = columns.map(c => c.slice()),
    least = crossings();
  const sweep = (cs, sides) => {
    for (const c of cs) {
      const mean = new Map();
      c.forEach((i, k) => {
        const near = sides[i];
        mean.set(i, near.length ? near.reduce((s, t) => s + place[t], 0) / near.length : k);
      });
      c.sort((a, b) => part[a] - part[b] || mean.get(a) - mean.get(b) || place[a] - place[b]);
      settle(c);
    }
  };
  const backwards = columns.slice().reverse();
  for (let k = 0; k < LAYOUT.sweeps && least > 0; k++) {
    sweep(k % 2 ? backwards : columns, k % 2 ? right : left);
    const now = crossings();
    if (now < least) {
      least = now;
      best = columns.map(c => c.slice());
    }
  }
  best.forEach((c, k) => {
    columns[k].splice(0, c.length, ...c);
  });
}

// Rows: each item towards its neighbours' mean; order and distances in a column are kept (isotonic
// regression by pooling).
function layoutRows(columns, half, left, right, weightOf, y) {
  const sum = [],
    weight = [],
    count = [];
  const place = (c, want, w) => {
    const offset = new Float64Array(c.length);
    let n = 0;
    c.forEach((item, k) => {
      offset[k] = k ? offset[k - 1] + half[c[k - 1]] + half[item] : 0;
      sum[n] = w[k] * (want[k] - offset[k]);
      weight[n] = w[k];
      count[n++] = 1;
      while (n > 1 && sum[n - 2] * weight[n - 1] >= sum[n - 1] * weight[n - 2]) {
        n--;
        sum[n - 1] += sum[n];
        weight[n - 1] += weight[n];
        count[n - 1] += count[n];
      }
    });
    for (let b = 0, k = 0; b < n; b++)
      for (let q = 0; q < count[b]; q++, k++) y[c[k]] = sum[b] / weight[b] + offset[k];
  };
  const rounds = 20;
  for (let r = 0; r < rounds; r++) {
    const cs = r % 2 ? columns.slice().reverse() : columns,
      last = r + 4 >= rounds;
    for (const c of cs) {
      const want = new Float64Array(c.length),
        w = new Float64Array(c.length);
      c.forEach((item, k) => {
        let s = 0,
          total = 0;
        const pull = t => {
          const x = weightOf(item, t);
          s += x * y[t];
          total += x;
        };
        if (r % 2 === 0 || last) left[item].forEach(pull);
        if (r % 2 === 1 || last) right[item].forEach(pull);
        want[k] = total ? s / total : y[item];
        w[k] = total || 0.01;
      });
      place(c, want, w);
    }
  }
}

function layoutGraph(n, widths, from, to) {
  const L = LAYOUT,
    { column, loose } = layoutColumns(n, from, to);
  const { part: partOf, nparts } = layoutParts(n, from, to, loose);
  const items = n + from.reduce((s, f, e) => s + column[to[e]] - column[f] - 1, 0);
  const col = new Int32Array(items),
    part = new Int32Array(items),
    half = new Float64Array(items);
  const left = Array.from({ length: items }, () => []),
    right = left.map(() => []);
  const chains = [];
  let ncolumns = 0,
    next = n;
  for (let i = 0; i < n; i++) {
    col[i] = column[i];
    half[i] = (L.height + L.rowGap) / 2;
    if (loose(i)) continue;
    part[i] = partOf(i);
    ncolumns = Math.max(ncolumns, col[i] + 1);
  }
  for (let e = 0; e < from.length; e++) {
    const chain = [from[e]];
    for (let c = column[from[e]] + 1; c < column[to[e]]; c++, next++) {
      col[next] = c;
      part[next] = part[from[e]];
      half[next] = L.dummy / 2;
      chain.push(next);
    }
    chain.push(to[e]);
    for (let k = 1; k < chain.length; k++) {
      right[chain[k - 1]].push(chain[k]);
      left[chain[k]].push(chain[k - 1]);
    }
    chains.push(chain);
  }
  const columns = Array.from({ length: ncolumns }, () => []);
  for (let i = 0; i < items; i++) if (i >= n || !loose(i)) columns[col[i]].push(i);
  columns.forEach(c => c.sort((a, b) => part[a] - part[b] || a - b));
  layoutOrder(columns, left, right, part);

  const y = new Float64Array(items);
  for (const c of columns) {
    let at = 0;
    for (const i of c) {
      y[i] = at + half[i];
      at += 2 * half[i];
    }
  }
  const links = [1, 2, 8];
  layoutRows(columns, half, left, right, (a, b) => links[(a >= n) + (b >= n)], y);

  // Each part as far up as the one before it allows.
  const top = new Float64Array(nparts).fill(Infinity),
    bottom = new Float64Array(nparts).fill(-Infinity);
  for (const c of columns)
    for (const i of c) {
      top[part[i]] = Math.min(top[part[i]], y[i] - half[i]);
      bottom[part[i]] = Math.max(bottom[part[i]], y[i] + half[i]);
    }
  let height = 0;
  const shift = new Float64Array(nparts);
  for (let p = 0; p < nparts; p++) {
    shift[p] = height - top[p];
    height += bottom[p] - top[p] + L.rowGap;
  }
  for (const c of columns) for (const i of c) y[i] += shift[part[i]];

  // Columns as wide as their widest box; the gap grows with the height edges have to climb in it.
  const x0 = new Float64Array(ncolumns),
    x1 = new Float64Array(ncolumns),
    climb = new Float64Array(ncolumns);
  for (let i = 0; i < n; i++) if (!loose(i)) x1[col[i]] = Math.max(x1[col[i]], widths[i]);
  for (const chain of chains)
    for (let k = 1; k < chain.length; k++) {
      const c = col[chain[k - 1]];
      climb[c] = Math.max(climb[c], Math.abs(y[chain[k]] - y[chain[k - 1]]));
    }
  let width = 0;
  for (let c = 0, x = 0; c < ncolumns; c++) {
    x0[c] = x;
    width = x1[c] = x + x1[c];
    x = x1[c] + L.columnGap + Math.min(3 * L.columnGap, climb[c] / 8);
  }
  const bx = new Float64Array(n),
    by = new Float64Array(n);
  for (let i = 0; i < n; i++)
    if (!loose(i)) {
      bx[i] = x0[col[i]];
      by[i] = y[i] - L.height / 2;
    }

  // Boxes without edges stand in rows of their own below the rest.
  const alone = [];
  for (let i = 0; i < n; i++) if (loose(i)) alone.push(i);
  if (alone.length) {
    const cell = alone.reduce((m, i) => Math.max(m, widths[i]), 0) + L.rowGap,
      row = L.height + L.rowGap;
    const across = Math.max(1, Math.floor(Math.max(width, L.minWidth) / cell));
    const start = height + (ncolumns ? 2 * row : 0);
    alone.forEach((i, k) => {
      bx[i] = (k % across) * cell;
      by[i] = start + Math.floor(k / across) * row;
      width = Math.max(width, bx[i] + widths[i]);
      height = by[i] + L.height;
    });
  }
  const routes = chains.map((chain, e) => {
    const p = [bx[from[e]] + widths[from[e]], y[from[e]], x1[col[from[e]]], y[from[e]]];
    for (let k = 1; k + 1 < chain.length; k++)
      p.push(x0[col[chain[k]]], y[chain[k]], x1[col[chain[k]]], y[chain[k]]);
    p.push(bx[to[e]], y[to[e]]);
    return p;
  });
  return { x: bx, y: by, width, height, routes, column: col };
}

if (typeof module !== "undefined") module.exports = { layoutGraph, LAYOUT };
