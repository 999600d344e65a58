/** The files of the repository, read once for the tests of the house. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import ts from 'typescript';

/** The root of the checkout. */
export const ROOT = resolve(import.meta.dirname, '../..');

/** Folders that are made, fetched or fixtures. */
const SKIPPED = new Set(['node_modules', 'out', 'dist', 'coverage', 'tempograd-out', 'test-results', 'fixtures']);

/** A text file of the repository. */
export interface SourceFile {
  /** Relative to the root, with slashes. */
  readonly path: string;
  readonly text: string;
}

/** All files below `folder` whose name ends in one of `endings`. */
export function readFiles(folder: string, endings: readonly string[]): readonly SourceFile[] {
  const found: SourceFile[] = [];
  const walk = (at: string): void => {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      if (entry.isDirectory()) {
        if (!SKIPPED.has(entry.name) && !entry.name.startsWith('.git')) walk(join(at, entry.name));
      } else if (entry.isFile() && endings.some((ending) => entry.name.endsWith(ending))) {
        const path = join(at, entry.name);
        found.push({ path: relative(ROOT, path).split(sep).join('/'), text: readFileSync(path, 'utf8') });
      }
    }
  };
  walk(resolve(ROOT, folder));
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** An exported declaration with its comment. */
export interface ExportedDeclaration {
  readonly name: string;
  readonly line: number;
  /** The comment that stands before it, empty without. */
  readonly comment: string;
  readonly isDefault: boolean;
  /** Names of the parameters of a function, in order; destructured ones as ''. */
  readonly parameters: readonly string[];
}

/** The exported declarations of a TypeScript file; re-exports are declared elsewhere. */
export function exportsOf(file: SourceFile): readonly ExportedDeclaration[] {
  const source = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true);
  return source.statements.flatMap((statement): ExportedDeclaration[] => {
    const line = source.getLineAndCharacterOfPosition(statement.getStart()).line + 1;
    if (ts.isExportAssignment(statement)) {
      return [{ name: 'default', line, comment: '', isDefault: true, parameters: [] }];
    }
    const flags = ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : [];
    if (!flags.some((one) => one.kind === ts.SyntaxKind.ExportKeyword)) return [];
    const isDefault = flags.some((one) => one.kind === ts.SyntaxKind.DefaultKeyword);
    const docs = ts.getJSDocCommentsAndTags(statement).filter(ts.isJSDoc);
    const comment = docs.map((doc) => doc.getText()).join('\n');
    const names = ts.isVariableStatement(statement)
      ? statement.declarationList.declarations.map((one) => one.name.getText())
      : [(statement as ts.DeclarationStatement).name?.getText() ?? 'default'];
    const parameters = ts.isFunctionDeclaration(statement)
      ? statement.parameters.map((one) => (ts.isIdentifier(one.name) ? one.name.text : ''))
      : [];
    return names.map((name) => ({ name, line, comment, isDefault, parameters }));
  });
}
