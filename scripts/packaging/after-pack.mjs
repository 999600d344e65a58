/**
 * electron-builder's hook after packing: puts the native engine beside the archive, in the shape the addon expects
 * (its library path is `$ORIGIN/../../deps/lib`), and the licences of what was added.
 */
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findElectron } from '../setup/electron-path.mjs';
import { cacheDirectory, cacheLayout, projectLayout } from '../setup/paths.mjs';
import { LOCAL_BUILD_FILE, LOCAL_BUILD_TEXT } from './local-build.mjs';
import { licenceParts, nativeParts } from './native-parts.mjs';

/**
 * @param {{ appOutDir: string, packager: { getResourcesDir(appOutDir: string): string } }} context of electron-builder
 */
export default async function afterPack({ appOutDir, packager }) {
  const places = { project: projectLayout(), cache: cacheLayout(cacheDirectory()), say: (line) => console.log(line) };
  const resources = packager.getResourcesDir(appOutDir);
  // Electron's welcome page comes with an unpacked Electron and has no business in an app.
  rmSync(join(resources, 'default_app.asar'), { force: true });
  const parts = await nativeParts(places);
  if (parts) {
    const folder = join(resources, 'app.asar.unpacked/node_modules/@tensorflow/tfjs-node');
    for (const { from, to } of parts) copyInto(from, join(folder, to));
    for (const { from, to } of licenceParts(places.cache)) copyInto(from, join(resources, 'licences', to));
  } else {
    console.log('dist: no native engine here: this build runs on the wasm and reference engines');
  }
  if (findElectron(places.project, places.cache)?.source !== 'official')
    writeFileSync(join(appOutDir, LOCAL_BUILD_FILE), LOCAL_BUILD_TEXT);
}

function copyInto(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}
