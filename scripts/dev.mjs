/**
 * `npm run dev`: the window with live reload while sources change. Needs a display.
 */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { findElectron } from './setup/electron-path.mjs';
import { cacheDirectory, cacheLayout, projectLayout } from './setup/paths.mjs';
import { runSetup } from './setup/steps.mjs';
import { hasDisplay } from './setup/system-libraries.mjs';

const context = { project: projectLayout(), cache: cacheLayout(cacheDirectory()), say: (line) => console.log(line) };
const { fatal } = await runSetup(context);
const electron = findElectron(context.project, context.cache);
if (fatal || !electron || !hasDisplay()) {
  console.error('dev: needs Electron and a display; see the lines above');
  process.exit(1);
}
const bundler = resolve(context.project.root, 'node_modules/electron-vite/bin/electron-vite.js');
const args = [bundler, 'dev', '--watch', ...(process.getuid?.() === 0 ? ['--noSandbox'] : [])];
const child = spawn(process.execPath, args, {
  cwd: context.project.root,
  env: { ...process.env, ELECTRON_EXEC_PATH: electron.executable },
  stdio: 'inherit',
});
child.once('close', (code) => {
  process.exitCode = code ?? 1;
});
