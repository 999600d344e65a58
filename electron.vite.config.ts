import { fileURLToPath } from 'node:url';
import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'electron-vite';

const source = (path: string): string => fileURLToPath(new URL(`src/${path}`, import.meta.url));

/**
 * What is built: `out/main` runs in Electron and, for the command line, in plain Node 20.19, hence the target. Dependencies stay outside
 * the bundles (the native package must), but for small ones that every command loads: one file is found and compiled a quarter
 * sooner than a hundred. The preload is sandboxed and so has to be one CommonJS file with nothing left to load.
 */
export default defineConfig({
  main: {
    build: {
      target: 'node20.19',
      externalizeDeps: { exclude: ['zod', 'commander', 'yauzl', 'papaparse', 'ml-matrix'] },
      sourcemap: true,
      rolldownOptions: {
        input: {
          index: source('main/index.ts'),
          'engine-process': source('main/engine-process.ts'),
          'reader-process': source('main/reader-process.ts'),
          cli: source('cli/index.ts'),
        },
        output: { entryFileNames: '[name].js', chunkFileNames: 'chunks/[name]-[hash].js' },
      },
    },
  },
  preload: {
    build: {
      externalizeDeps: false,
      rolldownOptions: {
        input: { index: source('preload/index.ts') },
        output: { format: 'cjs', entryFileNames: '[name].cjs' },
      },
    },
  },
  renderer: {
    plugins: [vue()],
    build: { minify: true, rolldownOptions: { input: source('renderer/index.html') } },
  },
});
