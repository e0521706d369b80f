import { DIRECTIONS } from './directions.js';
import { readSyntax } from './read-syntax.ts';
import { hasImports, type SourceFile } from './source-files.ts';

/** Who imports whom: a file or a row of the table, and what it takes from. */
export type Edges = ReadonlyMap<string, ReadonlySet<string>>;

/** Says, one sentence each, where an import goes against the table. */
export function directionFaults(files: readonly SourceFile[]): readonly string[] {
  return files
    .filter((file) => hasImports(file.path))
    .flatMap((file) => {
      const home = homeOf(file.path);
      if (home === undefined) return [`${file.path}: this folder has no row in the table`];
      return readSyntax(file)
        .imports.filter((found) => found.own && !mayImport(home, found.target))
        .map((found) => `${file.path}:${found.line.toString()} imports ${found.target}`);
    });
}

/** A row names what it may import by the row, or by a single file of it. */
function mayImport(home: string, target: string): boolean {
  const [of, allowed] = [homeOf(target), DIRECTIONS[home] ?? []];
  return of === home || allowed.includes(target) || (of !== undefined && allowed.includes(of));
}

/** The row that a file belongs to: of a folder and one inside of it, the inner one. */
export function homeOf(path: string): string | undefined {
  return Object.keys(DIRECTIONS)
    .filter((folder) => isUnder(path, folder))
    .reduce<string | undefined>((best, folder) => (folder.length > (best?.length ?? 0) ? folder : best), undefined);
}

/** True for a folder's own path and for what is in it. */
export const isUnder = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);

/** Places of the table where a row names one that is not above it. */
export function upwardRows(table: Readonly<Record<string, readonly string[]>>): readonly string[] {
  const rows = Object.keys(table);
  return Object.entries(table).flatMap(([row, allowed], index) =>
    allowed
      .filter((place) => !rows.slice(0, index).some((above) => isUnder(place, above)) && place !== 'package.json')
      .map((place) => `${row} names ${place}`),
  );
}

/** Which file imports which. */
export function fileEdges(files: readonly SourceFile[]): Edges {
  return new Map(
    files
      .filter((file) => hasImports(file.path))
      .map((file) => [file.path, new Set(ownImports(file).filter((path) => path !== file.path))]),
  );
}

/** Which row of the table imports which. */
export function folderEdges(files: readonly SourceFile[]): Edges {
  const edges = new Map<string, Set<string>>();
  for (const file of files.filter((one) => hasImports(one.path))) {
    const home = homeOf(file.path) ?? file.path;
    const all = edges.get(home) ?? new Set();
    for (const target of ownImports(file)) all.add(homeOf(target) ?? target);
    all.delete(home);
    edges.set(home, all);
  }
  return edges;
}

const ownImports = (file: SourceFile): readonly string[] =>
  readSyntax(file)
    .imports.filter((found) => found.own)
    .map((found) => found.target);

/** Each circle once: what imports itself by way of others. */
export function circlesIn(edges: Edges): readonly string[] {
  const circles = new Set<string>();
  const done = new Set<string>();
  const visit = (at: string, trail: readonly string[]): void => {
    const seen = trail.indexOf(at);
    if (seen !== -1) circles.add([...trail.slice(seen), at].join(' → '));
    if (seen !== -1 || done.has(at)) return;
    for (const next of edges.get(at) ?? []) visit(next, [...trail, at]);
    done.add(at);
  };
  for (const start of edges.keys()) visit(start, []);
  return [...circles];
}
