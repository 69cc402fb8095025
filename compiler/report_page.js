// SPDX-License-Identifier: MIT
//
// report_page.js - shows the data of a report.
//
// In: the JSON that stands in the page. Out: the page's elements. Invariant:
// nothing is loaded, and what comes from files becomes text and never markup.
'use strict';
const byId = id => document.getElementById(id);
const D = JSON.parse(byId('data').textContent), main = byId('main'), aside = byId('aside');
const make = (tag, cls, ...kids) => {
  const e = document.createElement(tag);
  if (cls) e.className = cls;
  e.append(...kids);
  return e;
};
const count = n => n === null || n === undefined ? '-' : n.toLocaleString('en-US');
const size = n => {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let i = 0;
  while (n >= 1000 && i < 4) { n /= 1000; i++; }
  return (i === 0 ? n : n.toPrecision(3)) + ' ' + units[i];
};
const num = x => x === null ? '-' : x === 0 ? '0'
  : Math.abs(x) >= 1e-3 && Math.abs(x) < 1e6 ? String(+x.toPrecision(5)) : x.toExponential(3);
const percent = (a, b) => b > 0 ? (100 * a / b).toFixed(1) + '%' : '-';
const shape = t => t.dtype + '[' + t.shape.join(',') + ']';
const place = p => p.path + ':' + p.line + (p.column ? ':' + p.column : '');
const table = (heads, rows, cls) => {
  const t = make('table', cls), row = make('tr');
  for (const h of heads) row.append(make('th', h[0] === '#' ? 'n' : '', h.replace('#', '')));
  t.append(make('thead', '', row));
  const body = make('tbody');
  for (const r of rows) {
    const tr = make('tr');
    r.forEach((x, i) => {
      const name = i === 0 && heads[0] === 'name' ? 'name mono' : '';
      tr.append(make('td', heads[i][0] === '#' ? 'n' : name, x));
    });
    body.append(tr);
  }
  t.append(body);
  return t;
};
const pairs = rows => make('dl', '',
  ...rows.flatMap(([k, v]) => [make('dt', '', k), make('dd', '', v)]));
const press = (text, cls, f) => {
  const b = make('button', cls, text);
  b.type = 'button';
  b.addEventListener('click', f);
  return b;
};
const section = (id, title) => {
  const h = make('h2', '', title);
  h.id = id;
  main.append(h);
};
// A long list: its first rows, and a button for the others.
const some = (items, first, show) => {
  const box = make('div');
  const fill = n => {
    box.replaceChildren(show(items.slice(0, n)));
    if (n < items.length)
      box.append(press('show all ' + count(items.length), '', () => fill(items.length)));
  };
  fill(first);
  return box;
};

// --- what belongs to what ---
const outputs = D.outputs;
// META is some file's word: what is not of its form is left out.
const listOf = (key, ok) => {
  const v = D.meta?.[key];
  return Array.isArray(v) ? v.filter(x => x !== null && typeof x === 'object'
    && typeof x.name === 'string' && ok(x)) : [];
};
const textIn = x => typeof x === 'string' ? x : JSON.stringify(x);
const isSource = x => Array.isArray(x.shape) && x.shape.every(Number.isFinite)
  && typeof x.dtype === 'string';
const metaSources = (key, role) => listOf(key, isSource).map(
  ({name, dtype, shape, source, digest}) => ({
    name, dtype, shape, role, source: source && textIn(source), digest: digest && textIn(digest)}));
const metaDropped = metaSources('dropped', 'dropped');
const sources = D.sources ?? [...metaSources('sources', 'read'), ...metaDropped];
for (const s of sources) s.key = (s.source ? s.source + ':' : '') + s.name;
const metaOf = new Map(listOf('tensors', t => Array.isArray(t.sources)).map(
  t => [t.name, {sources: t.sources.map(textIn), value: textIn(t.value)}]));
const keysOf = o => o.chain ? o.chain.sources.map(s => (s.source ? s.source + ':' : '') + s.name)
                            : metaOf.get(o.name)?.sources ?? [];
const outputAt = new Map(outputs.map((o, i) => [o.name, i]));
const sourceAt = new Map(sources.map((s, i) => [s.key, i]));
const usersOf = new Map();
outputs.forEach((o, i) => {
  for (const k of new Set(keysOf(o))) usersOf.set(k, [...usersOf.get(k) ?? [], i]);
});
const suspected = {output: new Map(), source: new Map()};
for (const s of D.suspicions)
  for (const r of s.rows) {
    const m = suspected[s.side];
    m.set(r, [...m.get(r) ?? [], s]);
  }
const own = outputs.filter(o => !o.flags.includes('alias'));
const bytesOf = list => list.reduce((n, o) => n + o.size, 0);
const elements = o => o.shape.reduce((n, d) => n * d, 1);

// --- head ---
document.title = D.model + ' - ttswc report';
main.append(make('h1', '', D.model, ' ', make('span', 'dim', 'revision ' + D.revision)));
const nav = make('nav');
const parts = [['coverage', 'Coverage'], ['suspicions', 'Suspicions'], ['bytes', 'Bytes'],
               ['layers', 'Layers'], ['trust', 'Trust'], ['tensors', 'Tensors']];
for (const [id, title] of parts.filter(p => p[0] !== 'trust' || D.trust)) {
  const a = make('a', '', title);
  a.href = '#' + id;
  nav.append(a);
}
main.append(nav);
const card = (value, what) => make('div', 'card', make('b', '', value), what);
main.append(make('div', 'cards',
  card(count(outputs.length), 'tensors'),
  card(count(own.reduce((n, o) => n + elements(o), 0)), 'elements'),
  card(size(bytesOf(own)), 'of weights'),
  card(size(D.size), 'in the file'),
  card(count(sources.length), 'source tensors'),
  card(count(D.suspicions.length), D.suspicions.length === 1 ? 'suspicion' : 'suspicions'),
  ...(D.partial ? [card('PARTIAL', count(outputs.filter(o => o.flags.includes('missing')).length)
                        + ' of the tensors MISSING')] : [])));
main.append(pairs([['file', D.path], ['contract', make('span', 'mono', D.contract)],
  ['root', make('span', 'mono', D.root)], ['page made by', 'ttswc ' + D.compiler],
  ...Object.entries(D.about ?? D.meta?.about ?? {}).map(([k, v]) => [k, textIn(v)]),
  ...(D.files ?? []).map(f => ['checkpoint' + (f.source ? ' ' + f.source : ''),
                               f.path + ', ' + size(f.size)])]));

// --- coverage ---
section('coverage', 'Coverage');
{
  const by = new Map();
  for (const s of sources) {
    const x = by.get(s.source ?? '') ?? {read: 0, dropped: 0, unread: 0, total: 0};
    x[s.role] += elements(s);
    x[s.role + 'n'] = (x[s.role + 'n'] ?? 0) + 1;
    x.total += elements(s);
    by.set(s.source ?? '', x);
  }
  main.append(make('div', 'wide', table(
    ['source', '#tensors read', '#elements read', '#tensors dropped', '#elements dropped',
     '#not read', '#share of elements read'],
    [...by].map(([k, x]) => [k || 'the checkpoint', count(x.readn ?? 0), count(x.read),
                             count(x.droppedn ?? 0), count(x.dropped), count(x.unreadn ?? 0),
                             percent(x.read, x.total)]))));
  if (D.coverage)
    main.append(make('p', 'dim', `The spec names ${count(D.coverage.wanted)} tensors: `
      + `${count(D.coverage.used)} used, ${count(D.coverage.dropped)} dropped, `
      + `${count(D.coverage.missing)} missing; ${count(D.coverage.absent)} optional outputs are `
      + `absent, ${count(D.coverage.unclaimed)} tensors unclaimed.`));
  for (const [flag, title] of [['missing', 'MISSING: the checkpoint lacked what they are made of'],
                               ['absent', 'ABSENT: optional, and not in the checkpoint']]) {
    const without = outputs.flatMap((o, i) => o.flags.includes(flag) ? [i] : []);
    if (without.length > 0)
      main.append(make('h3', '', title), links('output', without, 40));
  }
  const dropped = D.dropped ?? metaDropped;
  if (dropped.length > 0) {
    main.append(make('h3', '', 'Dropped'));
    const why = d => d.reason === undefined ? [] : [d.reason, place(d.place)];
    const heads = ['name', '#elements', ...(D.dropped ? ['reason', 'spec'] : [])];
    main.append(some(dropped, 20, list => make('div', 'wide', table(heads, list.map(d => [
      (d.source ? d.source + ':' : '') + d.name + (d.part ? ranges(d.part) : ''),
      count(d.elements ?? elements(d)), ...why(d)])))));
  }
}
function ranges(part) {
  return ' [' + part.ranges.map(r => `${r.axis} ${r.begin}..${r.end}`).join(', ')
    + (part.boxes > 1 ? ` and ${count(part.boxes - 1)} more` : '') + ']';
}

// --- suspicions ---
section('suspicions', 'Suspicions');
if (D.suspicions.length === 0)
  main.append(make('p', 'dim', D.allowed.length > 0
    ? 'None was found; not looked for: ' + D.allowed.join(', ') : 'None was found.'));
for (const [side, title] of [['source', 'Of sources'], ['output', 'Of outputs']]) {
  const list = D.suspicions.filter(s => s.side === side);
  if (list.length > 0) main.append(make('h3', '', title));
  for (const s of list) {
    const box = make('div', 'suspicion', make('span', 'badge', s.id), s.text);
    if (s.notes) box.append(make('pre', '', s.notes));
    box.append(links(s.side, s.rows, 12));
    main.append(box);
  }
}
function link(side, i) {
  const t = side === 'output' ? outputs[i] : sources[i];
  return press(side === 'output' ? t.name : t.key, 'link', () => select(side, i));
}

function links(side, rows, first) {
  return some(rows, first, list => {
    const p = make('p', 'any');
    for (const r of list) p.append(link(side, r), ' ');
    return p;
  });
}

// --- bytes ---
section('bytes', 'Where the bytes are');
{
  const sums = key => {
    const m = new Map(), all = bytesOf(own);
    for (const o of own) {
      const x = m.get(key(o)) ?? [0, 0];
      m.set(key(o), [x[0] + 1, x[1] + o.size]);
    }
    return [...m].sort((a, b) => b[1][1] - a[1][1]).map(([k, [n, b]]) => {
      const meter = make('div', 'meter');
      meter.style.width = 160 * b / Math.max(all, 1) + 'px';
      return [k, count(n), size(b), percent(b, all), meter];
    });
  };
  main.append(make('div', 'wide', table(['group', '#tensors', '#bytes', '#share', ''],
    sums(o => D.groups[o.group].name + ' (' + D.groups[o.group].place + ')'))));
  main.append(make('div', 'wide', table(['dtype', '#tensors', '#bytes', '#share', ''],
    sums(o => o.dtype))));
}
const tree = {name: 'all', size: 0, kids: new Map(), hue: 0};
outputs.forEach((o, i) => {
  if (o.flags.includes('alias')) return;
  const path = [...(D.groups.length > 1 ? [D.groups[o.group].name] : []), ...o.name.split('.')];
  let node = tree;
  node.size += o.size;
  for (const p of path) {
    if (!node.kids.has(p)) node.kids.set(p, {name: p, size: 0, kids: new Map(), up: node});
    node = node.kids.get(p);
    node.size += o.size;
  }
  node.output = i;
});
// A chain of only children is one node.
const join = node => {
  while (node.up && node.kids.size === 1 && node.output === undefined) {
    const only = [...node.kids.values()][0];
    Object.assign(node, {name: node.name + '.' + only.name, kids: only.kids, output: only.output});
    for (const k of node.kids.values()) k.up = node;
  }
  for (const k of node.kids.values()) join(k);
};
join(tree);
[...tree.kids.values()].forEach((k, i) => {
  const paint = n => { n.hue = 210 + i * 47; n.kids.forEach(paint); };
  paint(k);
});
const icicle = make('div');
icicle.id = 'icicle';
const crumbs = make('div', 'bar');
main.append(make('p', 'dim', 'By name, as wide as it has bytes. Click to look inside.'), crumbs, icicle);
const draw = root => {
  const rows = [];
  const put = (node, depth, left, width) => {
    if (width < 0.12 || depth > 8) return;
    const b = press(node.name, '', () => node.output !== undefined ? select('output', node.output)
                                                                   : draw(node));
    b.title = node.name + ', ' + size(node.size);
    Object.assign(b.style, {left: left + '%', width: width + '%', top: depth * 27 + 'px',
                            background: `hsl(${node.hue} 50% ${70 + 3 * Math.min(depth, 6)}%)`});
    if (width < 1.2) b.textContent = '';
    rows[depth] = true;
    icicle.append(b);
    let at = left;
    for (const k of node.kids.values()) {
      put(k, depth + 1, at, width * k.size / Math.max(node.size, 1));
      at += width * k.size / Math.max(node.size, 1);
    }
  };
  icicle.replaceChildren();
  put(root, 0, 0, 100);
  icicle.style.height = rows.length * 27 + 'px';
  crumbs.replaceChildren();
  for (let n = root.up; n; n = n.up) {
    const to = n;
    crumbs.prepend(press(to.name + ' >', '', () => draw(to)));
  }
};
draw(tree);

// --- layers ---
section('layers', 'Layers against their siblings');
const measures = {
  std: {of: s => Math.log10(Math.max(s.std, 1e-30)), noise: n => 0.65 / Math.sqrt(2 * n), floor: 0.03},
  mean: {of: s => s.std > 0 ? s.mean / s.std : 0, noise: n => 1.5 / Math.sqrt(n), floor: 0.01},
  absmax: {of: s => Math.log10(Math.max(s.absmax, 1e-30)), noise: () => 0.06, floor: 0.06},
  kurtosis: {of: s => s.kurtosis, noise: n => 1.5 * Math.sqrt(24 / n), floor: 0.1},
};
const stacks = new Map();
const hasFigures = o => o.stats && o.stats.finite > 1;
// Why a tensor has none that should: it is shown as such, and not left out.
const without = o => o.flags.includes('missing') ? 'MISSING' : o.flags.includes('absent') ? 'ABSENT'
  : o.stats && o.stats.finite < o.stats.count ? 'NaN or Inf' : '';
outputs.forEach((o, i) => {
  const p = o.name.split('.'), k = p.findIndex(x => /^[0-9]+$/.test(x));
  if (k < 0 || (!hasFigures(o) && !without(o)) || o.flags.includes('alias')) return;
  const name = p.slice(0, k).join('.'), kind = p.slice(k + 1).join('.') || '(itself)';
  if (!stacks.has(name)) stacks.set(name, {layers: new Set(), kinds: new Map()});
  const s = stacks.get(name);
  s.layers.add(+p[k]);
  if (!s.kinds.has(kind)) s.kinds.set(kind, new Map());
  s.kinds.get(kind).set(+p[k], i);
});
const median = v => {
  const s = [...v].sort((a, b) => a - b), n = s.length;
  return n === 0 ? 0 : n % 2 ? s[(n - 1) / 2] : (s[n / 2 - 1] + s[n / 2]) / 2;
};
// How far each of a kind is off the others: in their own spread, and not less than what chance
// gives so few elements.
const deviations = (cells, m) => {
  const v = new Map([...cells].filter(([, i]) => hasFigures(outputs[i]))
    .map(([l, i]) => [l, m.of(outputs[i].stats)]));
  if (v.size < 3) return new Map();
  const mid = median(v.values());
  const spread = 1.4826 * median([...v.values()].map(x => Math.abs(x - mid)));
  return new Map([...v].map(([l, x]) => [l, Math.max(-99, Math.min(99, (x - mid)
    / Math.hypot(spread, m.floor, m.noise(outputs[cells.get(l)].stats.finite))))]));
};
const shade = z => {
  const c = `rgba(var(--${z > 0 ? 'hi' : 'lo'}), ${Math.min(1, Math.abs(z) / 6).toFixed(2)})`;
  return `linear-gradient(${c}, ${c})`;
};
const heats = make('div'), far = make('div');
heats.id = 'heats'; far.id = 'far';
const keys = make('div', 'bar dim');
const keyLo = make('span', 'key'), keyHi = make('span', 'key');
keyLo.id = 'keylo'; keyHi.id = 'keyhi';
const choose = Object.keys(measures).map(name => press(name, '', () => showLayers(name)));
keys.append(...choose, keyLo, 'below its siblings', keyHi, 'above: full colour is six times their spread');
main.append(make('p', 'dim', 'A column is a layer, a row one kind of tensor in it; the first row is the '
  + 'median of the column. A layer that was never trained stands out as a column; hatched is what is MISSING, ABSENT or not finite.'), keys, far, heats);
function showLayers(name) {
  const m = measures[name], off = [], blank = [];
  choose.forEach(b => b.classList.toggle('on', b.textContent === name));
  heats.replaceChildren();
  for (const [stack, s] of [...stacks].sort((a, b) => b[1].layers.size - a[1].layers.size)) {
    const layers = [...s.layers].sort((a, b) => a - b);
    if (layers.length < 3) continue;
    const box = make('div', 'heat');
    box.style.gridTemplateColumns = `minmax(0,max-content) repeat(${layers.length}, minmax(15px, 26px))`;
    const rows = [...s.kinds].map(([kind, cells]) => [kind, cells, deviations(cells, m)]);
    box.append(make('span', 'kind'), ...layers.map(l => make('span', 'head', String(l))));
    box.append(make('span', 'kind dim', 'all, median'));
    for (const l of layers) {
      const all = rows.filter(r => r[2].has(l)).map(r => r[2].get(l));
      const z = median(all.map(Math.abs));
      const cell = make('span', 'cell');
      cell.style.backgroundImage = shade(median(all) < 0 ? -z : z);
      cell.title = `${stack}.${l}: median ${z.toFixed(1)}`;
      box.append(cell);
      if (z > 3 && rows.length > 1) off.push([stack + '.' + l, z]);
      const inside = rows.flatMap(r => r[1].has(l) ? [outputs[r[1].get(l)]] : []);
      if (!inside.some(hasFigures)) {
        cell.className = 'cell blank';
        cell.style.backgroundImage = cell.title = '';
        blank.push(`${stack}.${l} (${[...new Set(inside.map(without))].join(', ')})`);
      }
    }
    for (const [kind, cells, z] of rows) {
      box.append(make('span', 'kind', make('bdi', '', kind)));
      box.lastChild.title = kind;
      for (const l of layers) {
        if (!cells.has(l)) { box.append(make('span', 'cell none')); continue; }
        const i = cells.get(l), o = outputs[i], b = press('', 'cell', () => select('output', i));
        if (hasFigures(o)) {
          b.style.backgroundImage = shade(z.get(l) ?? 0);
          b.title = `${o.name}: ${name} ${num(o.stats[name])}`
            + (z.has(l) ? `, off by ${z.get(l).toFixed(1)}` : '');
        } else {
          b.classList.add('blank');
          b.title = `${o.name}: ${without(o)}`;
        }
        box.append(b);
      }
    }
    heats.append(make('div', '', make('h3', '', stack || '(top)'), make('div', 'wide', box)));
  }
  far.replaceChildren();
  if (off.length > 0)
    far.append(make('p', 'suspicion', 'Far off their siblings: ' + off.sort((a, b) => b[1] - a[1])
      .slice(0, 20).map(([l, z]) => `${l} (${z < 99 ? z.toFixed(1) : '99 or more'})`).join(', ')));
  if (blank.length > 0)
    far.append(make('p', 'suspicion', 'Without figures: ' + blank.slice(0, 20).join(', ')
      + (blank.length > 20 ? ` and ${count(blank.length - 20)} more` : '')));
}
showLayers('std');
if (heats.childElementCount === 0)
  heats.append(make('p', 'dim', 'There are no three layers of one kind.'));

// --- trust ---
if (D.trust) {
  section('trust', 'Taken on trust');
  main.append(make('p', 'dim', D.trust.length > 0
    ? 'No shape can prove these; golden values in `expect:` can.' : 'Nothing.'));
  for (const x of D.trust)
    main.append(make('h3', '', x.what), make('p', '', x.why), some(x.targets, 12, list =>
      make('p', 'any mono', list.join(', '))));
}

// --- tensors ---
section('tensors', 'Tensors');
const q = make('input'), tabs = make('span'), list = make('div', 'wide'), found = make('span', 'dim');
q.id = 'q'; q.type = 'search'; q.placeholder = 'search names, types, values, marks ( / )';
found.id = 'found';
let side = 'output', only = false, shown = 200;
const tab = (name, title) => press(title, '', () => { side = name; shown = 200; showList(); });
const tabOf = {output: tab('output', 'outputs'), source: tab('source', 'sources')};
const strange = press('suspicious only', '', () => { only = !only; showList(); });
tabs.append(tabOf.output, ' ', tabOf.source, ' ', strange);
main.append(make('div', 'bar', q, tabs, found), list);
const textOf = (t, marks) => t.text ??= (t.name + ' ' + shape(t) + ' ' + (t.source ?? '') + ' '
  + [...t.flags ?? [], t.role ?? '', ...(marks ?? []).map(s => s.id)].join(' ') + ' '
  + (t.chain ? t.chain.contract + ' ' + t.chain.sources.map(s => s.name).join(' ')
             : metaOf.get(t.name)?.value ?? '')).toLowerCase();
function showList() {
  const words = q.value.toLowerCase().split(/\s+/).filter(w => w), all = side === 'output' ? outputs : sources;
  const hits = [];
  all.forEach((t, i) => {
    if ((!only || suspected[side].has(i)) && words.every(w => textOf(t, suspected[side].get(i)).includes(w))) hits.push(i);
  });
  for (const k in tabOf) tabOf[k].classList.toggle('on', k === side);
  strange.classList.toggle('on', only);
  found.textContent = `${count(hits.length)} of ${count(all.length)}`;
  const name = i => {
    const box = make('span', '', link(side, i), ' ');
    for (const f of all[i].flags ?? []) box.append(make('span', 'mark', f));
    if (side === 'source' && all[i].role !== 'read') box.append(make('span', 'mark', all[i].role));
    for (const s of suspected[side].get(i) ?? []) box.append(make('span', 'badge', s.id));
    return box;
  };
  const figures = s => s ? [num(s.mean), num(s.std), num(s.min), num(s.max), num(s.kurtosis)]
                         : ['-', '-', '-', '-', '-'];
  const t = table(['name', 'type', '#bytes', '#mean', '#std', '#min', '#max', '#kurtosis'],
    hits.slice(0, shown).map(i => [name(i), make('span', 'mono', shape(all[i])),
      all[i].size === undefined ? '-' : size(all[i].size), ...figures(all[i].stats)]));
  t.id = 'list';
  [...t.tBodies[0].rows].forEach((r, k) => { r.dataset.i = hits[k]; });
  t.addEventListener('click', e => {
    const row = e.target.closest('tr[data-i]');
    if (row && !e.target.closest('button')) select(side, +row.dataset.i);
  });
  list.replaceChildren(t);
  if (hits.length > shown)
    list.append(press(`show ${count(Math.min(1000, hits.length - shown))} more`, '',
                      () => { shown += 1000; showList(); }));
}
q.addEventListener('input', () => { shown = 200; showList(); });
showList();

// --- details ---
const SVG = byId('svg').namespaceURI;
const svg = (tag, props) => {
  const e = document.createElementNS(SVG, tag);
  for (const k in props) e.setAttribute(k, props[k]);
  return e;
};
// Bin 32 + k is from 2^(k-25) to 2^(k-24), bin 31 - k the same below zero.
const edges = b => b < 32 ? ['-2^' + (7 - b), '-2^' + (6 - b)] : ['2^' + (b - 57), '2^' + (b - 56)];
function histogram(s) {
  let first = s.bins[0][0], last = s.bins[s.bins.length - 1][0];
  while (last - first < 15) { first = Math.max(0, first - 1); last = Math.min(63, last + 1); }
  const most = Math.max(...s.bins.map(b => b[1])), n = last - first + 1, w = 540 / n;
  const g = svg('svg', {viewBox: '0 0 560 130', role: 'img'});
  for (const [b, c] of s.bins) {
    const h = Math.max(1, 100 * c / most);
    const r = svg('rect', {x: 10 + (b - first) * w, y: 105 - h, width: Math.max(0.5, w - 1), height: h});
    const t = svg('title', {});
    t.textContent = `${edges(b).join(' to ')}: ${count(c)}`;
    r.append(t);
    g.append(r);
  }
  const label = (x, text, anchor) => {
    const t = svg('text', {x, y: 122, 'text-anchor': anchor});
    t.textContent = text;
    g.append(t);
  };
  g.append(svg('line', {x1: 10, x2: 550, y1: 106, y2: 106}));
  label(10, edges(first)[0], 'start');
  label(550, edges(last)[1], 'end');
  if (first < 32 && last >= 32) label(10 + (32 - first) * w, '0', 'middle');
  return g;
}
function figures(s) {
  if (!s) return [make('p', 'dim', 'No values were looked at.')];
  const box = [pairs([['elements', count(s.count)], ['mean', num(s.mean)], ['std', num(s.std)],
    ['min, max', num(s.min) + ', ' + num(s.max)], ['absmax', num(s.absmax)],
    ['kurtosis', num(s.kurtosis) + ' (normal 3, uniform 1.8)'], ['zeros', count(s.zeros)],
    ...(s.nan + s.inf > 0 ? [['NaN, Inf', count(s.nan) + ', ' + count(s.inf)]] : []),
    ...(s.denormal > 0 ? [['denormal', count(s.denormal)]] : []),
    ...(s.classic ? [['note', 'std near 0.02 and mean near 0, as many initialisers make it']] : [])])];
  if (s.bins.length > 0)
    box.push(make('p', 'dim', 'How many values are in each octave, by sign:'), histogram(s));
  return box;
}
function sourceLine(s) {
  const key = (s.source ? s.source + ':' : '') + s.name;
  const p = make('p', 'any');
  p.append(sourceAt.has(key) ? link('source', sourceAt.get(key)) : make('code', '', key),
    ' ' + s.type + (s.part ? ', of it' + ranges(s.part) : '')
    + (s.also ? ' (also)' : '') + (s.allow_nonfinite ? ' (allow_nonfinite)' : '')
    + (s.lacking ? ' (lacking)' : '')
    + (s.bytes ? `; ${s.bytes.path}, ${s.bytes.whole ? 'bytes' : 'some of the bytes'} `
                 + `${s.bytes.begin}..${s.bytes.end}` : ''));
  return p;
}
function lineage(o) {
  const c = o.chain, m = metaOf.get(o.name), box = [make('h3', '', 'Lineage')];
  if (!c) {
    if (!m) return box.concat(make('p', 'dim', 'META does not tell.'));
    for (const k of m.sources)
      box.push(make('p', 'any', sourceAt.has(k) ? link('source', sourceAt.get(k)) : make('code', '', k)));
    return box.concat(make('pre', '', m.value ?? ''));
  }
  box.push(make('p', 'mono any', place(c.place)), make('pre', '', c.text));
  for (const u of c.use) box.push(make('p', 'any', `in template ${u.template}, used at ${place(u)}`));
  if (c.for.length > 0)
    box.push(make('p', '', 'for ' + c.for.map(l => `${l.name} = ${l.value}`).reverse().join(', ')));
  if (c.alias_of !== null)
    box.push(make('p', '', 'alias of ', link('output', outputAt.get(c.alias_of))));
  for (const s of c.sources) box.push(sourceLine(s));
  if (c.zeros > 0) box.push(make('p', '', count(c.zeros) + ' zeros are put in'));
  box.push(table(['', 'step', 'leaves'], c.steps.map(s =>
    ['#' + s.number, make('code', '', s.does), make('code', '', s.type)]), 'steps'),
    make('p', '', 'stored as ' + c.stored), make('pre', '', c.contract));
  return box;
}
function fate(s) {
  const box = [], users = usersOf.get(s.key) ?? [];
  if (users.length > 0) box.push(make('h3', '', 'Goes into'));
  box.push(some(users, 40, list => {
    const p = make('div');
    for (const i of list) {
      const uses = (outputs[i].chain?.sources ?? []).filter(x => x.name === s.name && x.part);
      p.append(make('p', 'any', link('output', i), ...uses.map(u => ', of it' + ranges(u.part))));
    }
    return p;
  }));
  for (const d of (D.dropped ?? []).filter(d => d.name === s.name && (d.source ?? null) === (s.source ?? null)))
    box.push(make('p', 'any', 'dropped' + (d.part ? ranges(d.part) : '') + ': ' + d.reason + ' - ' + place(d.place)));
  return box;
}
let opener = null;
function select(what, i, quiet) {
  const t = what === 'output' ? outputs[i] : sources[i];
  const close = press('close', '', hide);
  close.id = 'close';
  const head = make('h2', '', what === 'output' ? t.name : t.key);
  const rows = [['type', t.chain ? t.chain.type : shape(t)]];
  if (t.size !== undefined) rows.push(['bytes', count(t.size)]);
  if (what === 'output')
    rows.push(['group', D.groups[t.group].name],
              ['offset', count(t.offset) + ' in the file, ' + count(t.offset - D.groups[t.group].offset) + ' in the group'],
              ...(t.flags.length > 0 ? [['marks', t.flags.join(', ')]] : []));
  else
    rows.push(['role', t.role]);
  if (t.digest) rows.push(['digest', make('code', '', t.digest)]);
  aside.replaceChildren(close, head, pairs(rows));
  for (const s of suspected[what].get(i) ?? [])
    aside.append(make('div', 'suspicion', make('span', 'badge', s.id), s.text));
  aside.append(...(what === 'output' ? lineage(t) : fate(t)), make('h3', '', 'Values'), ...figures(t.stats));
  if (aside.hidden) opener = document.activeElement;
  aside.hidden = false;
  aside.focus();
  document.body.classList.add('open');
  aside.scrollTop = 0;
  if (!quiet) history.replaceState(null, '', '#' + what + '=' + encodeURIComponent(head.textContent));
}
// The focus goes where it came from, and the address names nothing any more.
function hide() {
  if (aside.hidden) return;
  aside.hidden = true;
  document.body.classList.remove('open');
  history.replaceState(null, '', '#');
  if (opener?.isConnected) opener.focus();
}
document.addEventListener('keydown', e => {
  if (e.key === 'Escape') hide();
  if (e.key === '/' && e.target !== q && !e.ctrlKey && !e.metaKey && !e.altKey) {
    e.preventDefault();
    q.focus();
  }
});
// #output=NAME, #source=NAME, #q=WORDS
function follow() {
  const [what, ...rest] = location.hash.slice(1).split('=');
  let name;
  try { name = decodeURIComponent(rest.join('=')); } catch { return; }
  if (what === 'q') { q.value = name; showList(); }
  const at = what === 'output' ? outputAt.get(name) : what === 'source' ? sourceAt.get(name) : undefined;
  if (at !== undefined) select(what, at, true);
}
window.addEventListener('hashchange', follow);
follow();
document.documentElement.dataset.ready = 'yes';
