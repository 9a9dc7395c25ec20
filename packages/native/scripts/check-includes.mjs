/**
 * Which folder of C++ may include which. `node scripts/check-includes.mjs` prints each error on a line and then fails.
 * A file and its header are one unit, so two units that include each other form a circle too.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Each folder with those that it may include, beside itself and `include/`. A folder stands below its users. */
export const rooms = {
  base: [],
  table: ['base'],
  slab: ['base'],
  engines: ['base', 'table'],
  store: ['base', 'table', 'engines'],
  traversal: ['base', 'table', 'engines'],
  cache: ['base', 'slab'],
  machine: ['base'],
  door: ['base', 'table', 'slab', 'engines', 'store', 'traversal', 'cache', 'machine'],
  nbd: ['base', 'slab'],
};

/** The only folder that knows of JavaScript. */
const door = 'door';
const javascript = /^(napi|node_api|js_native_api|uv)\.h$/;

const roomOf = (file) => file.slice(0, file.indexOf('/'));
const unitOf = (file) => file.replace(/\.\w+$/, '');

/** The files that each file includes, as written: `#include "room/file.hh"` or `<napi.h>`. */
const includesOf = (text) => [...text.matchAll(/^#include ["<]([^">]+)[">]/gm)].map(([, name]) => name);

function findingsOfFile(file, includes, sources) {
  const room = roomOf(file);
  if (!(room in rooms)) return [`${file} lies in a folder that has no place in the order`];
  return includes.flatMap((included) => {
    if (javascript.test(included) && room !== door)
      return [`${file} includes ${included}, which is for ${door}/`];
    if (included.startsWith('.'))
      return [`${file} includes ${included}: name it from its folder, as room/file.hh`];
    if (!sources.has(included)) return [];
    const target = roomOf(included);
    return target === room || rooms[room].includes(target)
      ? []
      : [`${file} includes ${included}, which is not below`];
  });
}

/** One circle of units, or none. */
function circleOf(graph) {
  const done = new Set();
  const visit = (unit, trail) => {
    if (trail.includes(unit)) return [...trail.slice(trail.indexOf(unit)), unit];
    if (done.has(unit)) return undefined;
    for (const next of graph.get(unit) ?? []) {
      const circle = visit(next, [...trail, unit]);
      if (circle !== undefined) return circle;
    }
    done.add(unit);
    return undefined;
  };
  for (const unit of graph.keys()) {
    const circle = visit(unit, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}

/** @param sources text by name, `room/file.cc`. @returns the errors, a line each. */
export function includeFindings(sources) {
  const findings = [];
  const graph = new Map();
  for (const [file, text] of sources) {
    const includes = includesOf(text);
    findings.push(...findingsOfFile(file, includes, sources));
    const unit = unitOf(file);
    const units = includes.filter((name) => sources.has(name)).map(unitOf);
    graph.set(unit, [...(graph.get(unit) ?? []), ...units.filter((other) => other !== unit)]);
  }
  const circle = circleOf(graph);
  return circle === undefined ? findings : [...findings, `circle: ${circle.join(' -> ')}`];
}

/** The sources of addon/ and nbd/. Files of nbd/ include each other without a folder. */
export function nativeSources(packageFolder) {
  const read = (folder, prefix) =>
    readdirSync(path.join(packageFolder, folder), { recursive: true })
      .filter((name) => /\.(cc|hh)$/.test(name))
      .map((name) => [`${prefix}${name}`, readFileSync(path.join(packageFolder, folder, name), 'utf8')]);
  const nbd = read('nbd', 'nbd/');
  const names = new Set(nbd.map(([name]) => name));
  const withRoom = nbd.map(([name, text]) => [
    name,
    text.replace(/^#include "([^"/]+)"/gm, (line, other) =>
      names.has(`nbd/${other}`) ? `#include "nbd/${other}"` : line,
    ),
  ]);
  return new Map([...read('addon', ''), ...withRoom]);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const findings = includeFindings(nativeSources(fileURLToPath(new URL('..', import.meta.url))));
  for (const finding of findings) console.log(finding);
  if (findings.length > 0) process.exitCode = 1;
}
