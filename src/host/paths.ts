/**
 * Where the program's own files are: in a checkout, in an installed package, or in a packaged app.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The program's own folders and entries, absolute. */
export interface ProgramPaths {
  readonly root: string;
  readonly samples: string;
  readonly icon: string;
  readonly renderer: string;
  readonly preload: string;
  readonly engineProcess: string;
  readonly readerProcess: string;
}

/**
 * The folder that holds package.json, found upwards from a module of the program.
 *
 * @param moduleUrl - `import.meta.url` of any module of the program, bundled or not.
 * @throws Error when there is none: a broken installation.
 */
export function findRoot(moduleUrl: string): string {
  let folder = dirname(fileURLToPath(moduleUrl));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`no package.json above ${moduleUrl}`);
    folder = parent;
  }
  return folder;
}

/**
 * The program's folders and entries.
 *
 * @param moduleUrl - `import.meta.url` of any module of the program, bundled or not.
 */
export function programPaths(moduleUrl: string): ProgramPaths {
  const root = findRoot(moduleUrl);
  return {
    root,
    samples: join(root, 'resources', 'samples'),
    icon: join(root, 'resources', 'icon.png'),
    renderer: join(root, 'out', 'renderer'),
    preload: join(root, 'out', 'preload', 'index.cjs'),
    engineProcess: join(root, 'out', 'main', 'engine-process.js'),
    readerProcess: join(root, 'out', 'main', 'reader-process.js'),
  };
}

/**
 * The program's version, as package.json says.
 *
 * @param moduleUrl - `import.meta.url` of any module of the program, bundled or not.
 */
export function programVersion(moduleUrl: string): string {
  const { version } = JSON.parse(readFileSync(join(findRoot(moduleUrl), 'package.json'), 'utf8')) as {
    version: string;
  };
  return version;
}
