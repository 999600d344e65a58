import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface LockEntry {
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
}

const read = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');
const lock = (JSON.parse(read('package-lock.json')) as { packages: Record<string, LockEntry> }).packages;

/** Of this one only the native addon is used, so what its JavaScript needs does not ship. */
const ADDON_ONLY = '@tensorflow/tfjs-node';

/** The lock file's path of a package as seen from another one; undefined where it is not installed (an optional peer). */
function resolvePackage(from: string, name: string): string | undefined {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    const path = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    if (lock[path]) return path;
    if (folder === '') return undefined;
  }
}

/** The names of all packages that are loaded when the program runs, by the lock file. */
function neededPackages(): Set<string> {
  const names = new Set<string>();
  const visit = (path: string): void => {
    const name = path.slice('node_modules/'.length);
    if (names.has(name)) return;
    names.add(name);
    if (name === ADDON_ONLY) return;
    const { dependencies, optionalDependencies, peerDependencies } = lock[path]!;
    for (const wanted of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      const found = resolvePackage(path, wanted);
      if (found) visit(found);
    }
  };
  for (const name of Object.keys(lock['']!.dependencies!)) visit(resolvePackage('', name)!);
  return new Set([...names].filter((name) => !/^@types\/|^@webgpu\/types$/.test(name)));
}

/** The names of the packages that electron-builder.yml lets in. */
function shippedPackages(): Set<string> {
  const patterns = [...read('electron-builder.yml').matchAll(/^ {2}- node_modules\/(.+)$/gm)].map((match) => match[1]!);
  const files = patterns.slice(
    0,
    patterns.findIndex((pattern) => pattern.includes('tfjs-node/**')),
  );
  return new Set(
    files.flatMap((pattern) => {
      const group = /^\{([^}]+)\}\/\*\*$/.exec(pattern);
      if (group) return group[1]!.split(',');
      return [
        pattern
          .split('/')
          .slice(0, pattern.startsWith('@') ? 2 : 1)
          .join('/'),
      ];
    }),
  );
}

describe('electron-builder.yml', () => {
  it('ships every package that the program loads, and no other', () => {
    const nested = [...neededPackages()].filter((name) => name.includes('/node_modules/'));
    const shipped = shippedPackages();
    for (const name of nested) expect(shipped).toContain(name.split('/node_modules/')[0]);
    const direct = [...neededPackages()].filter((name) => !nested.includes(name));
    expect([...shipped].sort()).toEqual(direct.sort());
  });

  it('sets the fuses that keep the app from being used as a bare Node', () => {
    const yaml = read('electron-builder.yml');
    for (const fuse of ['runAsNode', 'enableNodeOptionsEnvironmentVariable', 'enableNodeCliInspectArguments']) {
      expect(yaml).toMatch(new RegExp(`^ {2}${fuse}: false$`, 'm'));
    }
    expect(yaml).toMatch(/^ {2}onlyLoadAppFromAsar: true$/m);
  });
});
