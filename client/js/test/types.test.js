import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import * as packed from '../dist/signal.js';
import * as signal from '../src/signal.js';

const types = readFileSync(new URL('../signal.d.ts', import.meta.url), 'utf8');
const source = readdirSync(new URL('../src/', import.meta.url))
  .map((name) => readFileSync(new URL(`../src/${name}`, import.meta.url), 'utf8')).join('\n');
const all = (text, pattern) => [...text.matchAll(pattern)].map(([, name]) => name).sort();

test('the types declare what the module exports', () => {
  assert.deepEqual(all(types, /^export (?:class|function) (\w+)/gm), Object.keys(signal).sort());
});

test('the packed module exports the same, under the same names', () => {
  assert.deepEqual(Object.keys(packed).sort(), Object.keys(signal).sort());
  for (const [name, value] of Object.entries(packed)) {
    assert.equal(value.name, name);
    assert.deepEqual(Object.getOwnPropertyNames(value.prototype ?? {}), Object.getOwnPropertyNames(signal[name].prototype ?? {}), name);
  }
});

test('the types declare each class\'s methods', () => {
  for (const name of ['Session', 'Seal']) {
    const declared = all(new RegExp(`^export class ${name} \\{\\n(.*?)^\\}`, 'ms').exec(types)[1], /^ {2}(?:readonly )?(\w+)[(:]/gm);
    assert.deepEqual(declared, Object.getOwnPropertyNames(signal[name].prototype).sort(), name);
  }
});

test('the types list all codes', () => {
  const codes = all(/^const MSGS = \{\n(.*?)^\};/ms.exec(source)[1], /^ {2}(\w+):/gm);
  const union = all(/^export type SignalCode =\n(.*?);\n\n/ms.exec(types)[1], /'(\w+)'/g);
  assert.deepEqual(union, codes);
});

test('the types know each option of connect', () => {
  const options = /^export interface ConnectOptions \{\n(.*?)^\}/ms.exec(types)[1];
  const declared = new Set(all(options, /^ {2}(\w+)[?(:]/gm));
  const used = new Set([...source.matchAll(/const \{ ([\w, ]+) \} = this\.#?options/g)].flatMap(([, names]) => names.split(', '))
    .concat(all(source, /this\.#?options\??\.(\w+)/g)));
  assert.ok(used.size > 8);
  for (const name of used) assert.ok(declared.has(name), name);
});
