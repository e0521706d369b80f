import { posix } from 'node:path';
import ts from 'typescript';

import type { SourceFile } from './source-files.ts';

/** One thing that a file takes from elsewhere. */
export interface Import {
  readonly file: string;
  readonly line: number;
  /** The name of a package or of a part of Node, or the path of a file of the project. */
  readonly target: string;
  /** True for a file of the project. */
  readonly own: boolean;
  /** True when nothing but types is taken, which is gone when the program runs. */
  readonly typeOnly: boolean;
}

/** What the rules ask about a file, read from its syntax tree, so that comments and strings do not count. */
export interface Syntax {
  readonly imports: readonly Import[];
  /** Free names and member chains that are used: `fetch`, `process.env`. */
  readonly uses: readonly { readonly name: string; readonly line: number }[];
  /** Names of properties written in object literals: `shell`. */
  readonly properties: readonly { readonly name: string; readonly line: number }[];
}

const read = new Map<SourceFile, Syntax>();

/** Reads what a file imports and uses. */
export function readSyntax(file: SourceFile): Syntax {
  const known = read.get(file);
  if (known !== undefined) return known;

  const tree = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, false);
  const imports: Import[] = [];
  const uses: { name: string; line: number }[] = [];
  const properties: { name: string; line: number }[] = [];
  const lineOf = (node: ts.Node): number => tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;

  const visit = (node: ts.Node): void => {
    const specifier = specifierOf(node);
    if (specifier !== undefined) {
      imports.push({
        file: file.path,
        line: lineOf(node),
        typeOnly: isTypeOnly(node),
        ...resolve(file.path, specifier),
      });
    }
    for (const name of usedNames(node)) uses.push({ name, line: lineOf(node) });
    if (isNamedProperty(node)) properties.push({ name: node.name.text, line: lineOf(node) });
    ts.forEachChild(node, visit);
  };
  visit(tree);

  const syntax = { imports, uses, properties };
  read.set(file, syntax);
  return syntax;
}

// `import … from 'x'`, `export … from 'x'`, `import('x')`, `require('x')`, and `import('x').Type` in a type.
function specifierOf(node: ts.Node): string | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return textOf(node.moduleSpecifier);
  if (ts.isImportTypeNode(node)) return ts.isLiteralTypeNode(node.argument) ? textOf(node.argument.literal) : undefined;
  if (!ts.isCallExpression(node)) return undefined;
  const loads =
    node.expression.kind === ts.SyntaxKind.ImportKeyword ||
    (ts.isIdentifier(node.expression) && node.expression.text === 'require');
  if (!loads) return undefined;
  // A module whose name is computed could be any module.
  return textOf(node.arguments[0]) ?? '(computed)';
}

function isTypeOnly(node: ts.Node): boolean {
  if (ts.isImportTypeNode(node)) return true;
  if (ts.isImportDeclaration(node)) return node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
  return ts.isExportDeclaration(node) && node.isTypeOnly;
}

function textOf(node: ts.Node | undefined): string | undefined {
  return node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined;
}

function resolve(from: string, specifier: string): { target: string; own: boolean } {
  if (specifier.startsWith('.')) return { target: posix.join(posix.dirname(from), specifier), own: true };
  if (specifier.startsWith('node:')) return { target: specifier, own: false };
  const parts = specifier.split('/');
  return { target: parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/'), own: false };
}

// `a.b`, `a['b']`, `const { b } = a`, and calls of a plain name: `fetch(…)`, `new Function(…)`.
function usedNames(node: ts.Node): readonly string[] {
  if (ts.isPropertyAccessExpression(node)) {
    return ts.isIdentifier(node.expression) ? [`${node.expression.text}.${node.name.text}`] : [];
  }
  if (ts.isElementAccessExpression(node)) {
    const member = textOf(node.argumentExpression);
    return ts.isIdentifier(node.expression) && member !== undefined ? [`${node.expression.text}.${member}`] : [];
  }
  if (ts.isVariableDeclaration(node)) {
    const from = node.initializer;
    if (from === undefined || !ts.isIdentifier(from) || !ts.isObjectBindingPattern(node.name)) return [];
    const taken = node.name.elements.map((element) => element.propertyName ?? element.name);
    return taken.filter((name) => ts.isIdentifier(name)).map((name) => `${from.text}.${name.text}`);
  }
  const called = ts.isCallExpression(node) || ts.isNewExpression(node);
  return called && ts.isIdentifier(node.expression) ? [node.expression.text] : [];
}

function isNamedProperty(
  node: ts.Node,
): node is ts.ObjectLiteralElementLike & { name: ts.Identifier | ts.StringLiteral } {
  return (
    (ts.isPropertyAssignment(node) || ts.isShorthandPropertyAssignment(node)) &&
    (ts.isIdentifier(node.name) || ts.isStringLiteral(node.name))
  );
}
