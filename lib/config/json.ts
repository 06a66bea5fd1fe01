/** JSON with the faults that `JSON.parse` lets pass: a key given twice, of which it silently takes the last. */
import { parseTree, printParseErrorCode, type Node, type ParseError } from 'jsonc-parser';

/** What was read, or why not, each with its line. */
export type Json = { readonly value: unknown } | { readonly faults: readonly string[] };

/**
 * @param text the file's text; a BOM before it is allowed
 * @param comments whether comments and a trailing comma are allowed, as .NET reads appsettings.json
 */
export function parseJson(text: string, { comments }: { readonly comments: boolean }): Json {
  const tree = parseJsonTree(text, { comments });
  if ('faults' in tree) return tree;
  const faults = repeatedKeys(tree.root, tree.source);
  return faults.length > 0 ? { faults } : { value: toValue(tree.root) };
}

/** What was read as it stands there, keys given twice among it. `source` is what its offsets count in. */
export type JsonTree = { readonly root: Node; readonly source: string } | { readonly faults: readonly string[] };

/** The same without an opinion on keys that are there twice. */
export function parseJsonTree(text: string, { comments }: { readonly comments: boolean }): JsonTree {
  const source = text.replace(/^\uFEFF/, '');
  const errors: ParseError[] = [];
  const root = parseTree(source, errors, { disallowComments: !comments, allowTrailingComma: comments });
  const faults = errors.map(({ error, offset }) => `${printParseErrorCode(error)} in line ${lineOf(source, offset)}`);
  if (root === undefined && faults.length === 0) faults.push('it is empty');
  return root === undefined || faults.length > 0 ? { faults } : { root, source };
}

/** The line of an offset, from 1. */
export function lineOf(source: string, offset: number): number {
  return source.slice(0, offset).split('\n').length;
}

function repeatedKeys(node: Node, source: string): string[] {
  const children = node.children ?? [];
  const below = children.flatMap((child) => repeatedKeys(child, source));
  if (node.type !== 'object') return below;
  const seen = new Set<unknown>();
  for (const { children: [key] = [] } of children) {
    if (key === undefined) continue;
    if (seen.has(key.value)) below.push(`${JSON.stringify(key.value)} is there twice, in line ${lineOf(source, key.offset)}`);
    seen.add(key.value);
  }
  return below;
}

/** A key named `__proto__` is a key like any other. */
function toValue(node: Node): unknown {
  const children = node.children ?? [];
  if (node.type === 'array') return children.map(toValue);
  if (node.type !== 'object') return node.value as unknown;
  const entries = children.flatMap(({ children: [key, value] = [] }) =>
    key === undefined || value === undefined ? [] : [[String(key.value), toValue(value)] as const],
  );
  return Object.fromEntries(entries);
}
