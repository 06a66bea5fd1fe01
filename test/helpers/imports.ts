/** What source files reach for, read by the compiler's own parser and not by pattern. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import ts from 'typescript';
import { PACKAGE_ROOT } from '../../lib/config/settings';

/** A module as a value: an import that only names types leaves nothing to run. */
export interface Import {
  readonly file: string;
  /** A package as written; a file of the project as its path from the root, without extension. */
  readonly module: string;
  /** The names taken from it; `*` where any may be, as for require() and import(). */
  readonly names: readonly string[];
}

export interface Source {
  readonly file: string;
  readonly imports: readonly Import[];
  /** Calls that load a module whose name is not a literal. */
  readonly openLoads: readonly string[];
  /** Names of the properties it reads, by dot, by bracket or by destructuring. */
  readonly properties: ReadonlySet<string>;
}

/** Reads every source file of some folders or files, from the root of the project. */
export function readSources(...places: readonly string[]): Source[] {
  return places.flatMap(filesIn).map((file) => readSource(file, readFileSync(join(PACKAGE_ROOT, file), 'utf8')));
}

function filesIn(place: string): string[] {
  if (/\.[a-z]+$/.test(place)) return [place];
  return readdirSync(join(PACKAGE_ROOT, place), { recursive: true, encoding: 'utf8' })
    .map((file) => `${place}/${file.replaceAll('\\', '/')}`)
    .filter((file) => /(?<!\.d)\.[cm]?[tj]s$/.test(file));
}

/** @param file its path from the root, for what its relative imports mean */
export function readSource(file: string, text: string): Source {
  const kind = file.endsWith('.ts') ? ts.ScriptKind.TS : ts.ScriptKind.JS;
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true, kind);
  const imports: Import[] = [];
  const openLoads: string[] = [];
  const properties = new Set<string>();
  const add = (module: string, names: readonly string[]) => {
    if (names.length > 0) imports.push({ file, module: resolved(file, module), names });
  };
  const loaders = new Set(['require', ...loadersIn(tree)]);
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      if (node.moduleSpecifier !== undefined) add(literalOf(node.moduleSpecifier) ?? '', namesOf(node));
    } else if (ts.isExternalModuleReference(node)) {
      add(literalOf(node.expression) ?? '', ['*']);
    } else if (ts.isCallExpression(node) && isLoad(node, loaders)) {
      const module = literalOf(node.arguments[0]);
      if (module === undefined) openLoads.push(node.getText());
      else add(module, ['*']);
    }
    const property = propertyOf(node);
    if (property !== undefined) properties.add(property);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return { file, imports, openLoads, properties };
}

function resolved(file: string, module: string): string {
  if (!module.startsWith('.')) return module;
  return posix.join(dirname(file), module).replace(/\.[cm]?[tj]s$/, '');
}

function literalOf(node: ts.Node | undefined): string | undefined {
  return node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined;
}

/** The names that a declaration takes as values. */
function namesOf(node: ts.ImportDeclaration | ts.ExportDeclaration): string[] {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly ? [] : listed(node.exportClause);
  const clause = node.importClause;
  // `import 'x'` runs it.
  if (clause === undefined) return ['*'];
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return [];
  const named = clause.namedBindings === undefined ? [] : listed(clause.namedBindings);
  return clause.name === undefined ? named : ['default', ...named];
}

function listed(bindings: ts.NamedImportBindings | ts.NamedExportBindings | undefined): string[] {
  if (bindings === undefined || ts.isNamespaceImport(bindings) || ts.isNamespaceExport(bindings)) return ['*'];
  const elements: readonly (ts.ImportSpecifier | ts.ExportSpecifier)[] = bindings.elements;
  return elements.filter(({ isTypeOnly }) => !isTypeOnly).map(({ name, propertyName }) => (propertyName ?? name).text);
}

/** Names that stand for `createRequire(…)`. */
function loadersIn(tree: ts.SourceFile): string[] {
  const names: string[] = [];
  const visit = (node: ts.Node): void => {
    const made = ts.isVariableDeclaration(node) && node.initializer !== undefined && isCreateRequire(node.initializer);
    if (made && ts.isIdentifier(node.name)) names.push(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return names;
}

function isCreateRequire(node: ts.Expression): boolean {
  return ts.isCallExpression(node) && /(^|\.)createRequire$/.test(node.expression.getText());
}

function isLoad({ expression }: ts.CallExpression, loaders: ReadonlySet<string>): boolean {
  if (expression.kind === ts.SyntaxKind.ImportKeyword || isCreateRequire(expression)) return true;
  return ts.isIdentifier(expression) && loaders.has(expression.text);
}

function propertyOf(node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(node)) return node.name.text;
  if (ts.isElementAccessExpression(node)) return literalOf(node.argumentExpression);
  if (!ts.isBindingElement(node) || !ts.isObjectBindingPattern(node.parent)) return undefined;
  const name = node.propertyName ?? node.name;
  return ts.isIdentifier(name) ? name.text : literalOf(name);
}
