'use strict';
// The door from plain JavaScript (zx scripts, tests) to the TypeScript of lib/.
//
// ts-node compiles; what it made is kept under node_modules/.cache, because compiling costs seconds at every start
// and the sources seldom change. A cached file is found by the hash of everything that made it (path, source,
// compiler options, versions), so an edited or moved source never meets an old one. Without a writable cache all
// works, slower.
const { createHash } = require('node:crypto');
const { mkdirSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const Module = require('node:module');
const { join, sep } = require('node:path');

// The working directory never matters: everything is found from here.
const root = join(__dirname, '..');
const cache = join(root, 'node_modules', '.cache', 'canvas-host-toolkit');
const packages = join(root, 'node_modules') + sep;

const ingredients = createHash('sha256')
  .update(readFileSync(join(root, 'tsconfig.json')))
  .update(readFileSync(join(root, 'node_modules', 'ts-node', 'package.json')))
  .update(readFileSync(join(root, 'node_modules', 'typescript', 'package.json')))
  .digest('hex');

let compiler;

function compile(source, path) {
  compiler ??= require('ts-node').create({ cwd: root, transpileOnly: true });
  return compiler.compile(source, path);
}

function compiled(path) {
  const source = readFileSync(path, 'utf8');
  const name = createHash('sha256').update(ingredients).update(path).update('\0').update(source).digest('hex');
  const kept = join(cache, `${name}.js`);
  try {
    return readFileSync(kept, 'utf8');
  } catch {
    const output = compile(source, path);
    keep(kept, output);
    return output;
  }
}

/** Written whole under another name and renamed: another process reads all of it or none. */
function keep(path, text) {
  try {
    mkdirSync(cache, { recursive: true });
    const temporary = `${path}.${process.pid}`;
    writeFileSync(temporary, text);
    renameSync(temporary, path);
  } catch {
    // A read-only installation has no cache.
  }
}

// Newer Node versions have a handler of their own that only strips types; one compiler for all versions.
// Reading the maps of every file takes a third of the start: only for those who will see a stack trace.
if (process.argv.includes('--verbose')) process.setSourceMapsEnabled(true);
Module._extensions['.ts'] = (module, path) => {
  if (path.startsWith(packages)) throw new Error(`A package may not ship TypeScript to run: ${path}`);
  module._compile(compiled(path), path);
};

module.exports = require('./index');
