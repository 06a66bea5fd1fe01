/**
 * The configuration of .NET components as their files say it: appsettings.json with the files that override it, .env files
 * and variables. Keys are those of .NET: sections joined by `:`, `__` in a variable's name, upper and lower case the same.
 * https://learn.microsoft.com/dotnet/core/extensions/configuration-providers
 */
import { isUtf8 } from 'node:buffer';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { parse as parseEnv } from 'dotenv';
import type { Node } from 'jsonc-parser';
import { faults } from '../errors';
import { lineOf, parseJsonTree } from './json';

/** One value. It is read by a call, so that no printer of objects shows it. */
export interface Setting {
  /** As it is spelled, with `:` between sections. */
  readonly key: string;
  readonly value: () => string;
}

/** A key that is there more than once, however it is spelled. */
export interface RepeatedKey {
  readonly key: string;
  readonly lines: readonly number[];
}

/**
 * In the order in which each wins over the one before: appsettings.json, that of the environment, a file of no known
 * environment that somebody added, what becomes variables, the variables themselves.
 */
export const LAYERS = ['base', 'environment', 'local', 'env file', 'variables'] as const;
export type Layer = (typeof LAYERS)[number];

export interface ConfigurationFile {
  /** As it was named; of variables, what they are. */
  readonly path: string;
  /** The folder of the file: a component. Variables belong to every one of them. */
  readonly component: string | undefined;
  readonly layer: Layer;
  /** The environment that the name of the file says, where it is one. */
  readonly environment: string | undefined;
  readonly settings: readonly Setting[];
  readonly repeated: readonly RepeatedKey[];
}

/** How environments are called, and what targets call them. */
const ENVIRONMENTS: Readonly<Record<string, string>> = {
  development: 'development', dev: 'development', test: 'test', testing: 'test', qa: 'test', staging: 'staging', stage: 'staging',
  production: 'production', prod: 'production', live: 'production',
};

/** An environment by the name that a file or a variable gives it, or undefined where the name is none. */
export function environmentOf(name: string): string | undefined {
  const folded = name.toLowerCase();
  return Object.hasOwn(ENVIRONMENTS, folded) ? ENVIRONMENTS[folded] : undefined;
}

const APPSETTINGS = /^appsettings(?:\.(.+))?\.json$/i;
const DOT_ENV = /^\.env(?:\.(.+))?$|^(.+)\.env$/i;
/** Files that show how one is written. */
const SAMPLE = /\.(?:example|sample|template|dist)$/i;

/**
 * Reads files, and of folders their appsettings*.json and .env files. Each is read once.
 * @throws ToolkitError CONFIG for what cannot be read, or is no such file
 */
export function readConfiguration(paths: readonly string[]): ConfigurationFile[] {
  const found = paths.flatMap((path) => (isFolder(path) ? filesOf(path) : [path]));
  const once = new Map(found.map((path) => [resolve(path), path]));
  return [...once.values()].map(readConfigurationFile);
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (cause) {
    throw faults.fileUnreadable(path, cause);
  }
}

function filesOf(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => (APPSETTINGS.test(name) || DOT_ENV.test(name)) && !SAMPLE.test(name));
  if (names.length === 0) throw faults.notConfiguration(folder);
  return names.sort().map((name) => join(folder, name));
}

function readConfigurationFile(path: string): ConfigurationFile {
  const name = basename(path);
  const isJson = /\.json$/i.test(name);
  const [, one, other] = (isJson ? APPSETTINGS : DOT_ENV).exec(name) ?? [];
  if (!isJson && !DOT_ENV.test(name)) throw faults.notConfiguration(path);
  const suffix = one ?? other;
  const environment = suffix === undefined ? undefined : environmentOf(suffix);
  const own = environment === undefined ? 'local' : 'environment';
  const layer: Layer = !isJson ? 'env file' : suffix === undefined ? 'base' : own;
  const text = readText(path);
  return { path, component: dirname(path), layer, environment, ...(isJson ? readAppsettings(path, text) : readDotEnv(text)) };
}

/** .NET goes by the byte order mark, and takes the text for UTF-8 where there is none. */
function readText(path: string): string {
  const bytes = readBytes(path);
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (first === 0xfe && second === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  if (!isUtf8(bytes)) throw faults.notUtf8(path);
  return new TextDecoder().decode(bytes);
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw faults.fileUnreadable(path, cause);
  }
}

// --- JSON ----------------------------------------------------------------------------------------------------------

type Content = Pick<ConfigurationFile, 'settings' | 'repeated'>;

interface Found extends Setting {
  readonly line: number;
}

function readAppsettings(path: string, text: string): Content {
  const tree = parseJsonTree(text, { comments: true });
  if ('faults' in tree) throw faults.appsettingsInvalid(path, tree.faults);
  if (tree.root.type !== 'object') throw faults.appsettingsInvalid(path, ['its top level is no object']);
  return toContent(valuesOf(tree.root, '', tree.source));
}

/** What .NET keeps: each value that is no section, under its path. */
function valuesOf(node: Node, key: string, source: string): Found[] {
  const below = (name: string) => (key === '' ? name : `${key}:${name}`);
  const children = node.children ?? [];
  if (node.type === 'array') return children.flatMap((child, place) => valuesOf(child, below(String(place)), source));
  if (node.type !== 'object') return [{ key, value: () => textOf(node), line: lineOf(source, node.offset) }];
  return children.flatMap(({ children: [name, value] = [] }) =>
    name === undefined || value === undefined ? [] : valuesOf(value, below(String(name.value)), source),
  );
}

const textOf = ({ value }: Node) => String((value as string | number | boolean | null) ?? '');

/** The first of each key, and which are there again. */
function toContent(found: readonly Found[]): Content {
  const byKey = new Map<string, Found[]>();
  for (const one of found) byKey.set(one.key.toLowerCase(), [...(byKey.get(one.key.toLowerCase()) ?? []), one]);
  const groups = [...byKey.values()];
  return {
    settings: groups.flatMap(([first]) => (first === undefined ? [] : [{ key: first.key, value: first.value }])),
    repeated: groups.filter(({ length }) => length > 1).map((all) => ({ key: all[0]?.key ?? '', lines: all.map(({ line }) => line) })),
  };
}

// --- variables -----------------------------------------------------------------------------------------------------

/** dotenv takes the last of two equal names, other readers the first; so where a name stands is looked at here. */
function readDotEnv(text: string): Content {
  const values = parseEnv(text.replace(/^\uFEFF/, ''));
  const lines = text.split('\n').map((line) => /^\s*(?:export\s+)?([\w.-]+)\s*=/.exec(line)?.[1]);
  const { repeated } = toContent(
    lines.flatMap((name, place) =>
      name === undefined || !Object.hasOwn(values, name) ? [] : [{ key: toKey(name), value: () => '', line: place + 1 }],
    ),
  );
  return { settings: Object.entries(values).map(([name, value]) => ({ key: toKey(name), value: () => value })), repeated };
}

/** What .NET puts under ConnectionStrings by the beginning of a variable's name. */
const CONNECTION_PREFIX = /^(?:SQL|SQLAZURE|CUSTOM|MYSQL|POSTGRESQL)CONNSTR_/i;

function toKey(name: string): string {
  const [prefix] = CONNECTION_PREFIX.exec(name) ?? [];
  return (prefix === undefined ? name : `ConnectionStrings:${name.slice(prefix.length)}`).replaceAll('__', ':');
}

/** How the variables of this process are called where a file would have its path. */
export const VARIABLES = 'environment variables';

/** Variables by which .NET goes when it chooses its files; the first that is set. */
export const ENVIRONMENT_KEYS = ['ASPNETCORE_ENVIRONMENT', 'DOTNET_ENVIRONMENT'] as const;

/** The variables that .NET would read as settings: those with a section, and those that name the environment. */
export function readVariables(env: Readonly<NodeJS.ProcessEnv>): ConfigurationFile {
  const isMeant = (name: string) =>
    name.includes('__') || CONNECTION_PREFIX.test(name) || ENVIRONMENT_KEYS.some((known) => known === name.toUpperCase());
  const found = Object.entries(env).flatMap(([name, value]) =>
    value === undefined || !isMeant(name) ? [] : [{ key: toKey(name), value: () => value }],
  );
  return { path: VARIABLES, component: undefined, layer: 'variables', environment: undefined, settings: found, repeated: [] };
}
