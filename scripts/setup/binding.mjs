/**
 * Step "native binding": builds tfjs-node's C++ source against libtensorflow, keeps the result in the cache under a key of
 * everything that goes into it, puts it where tfjs-node looks for it and proves that it computes.
 * On a platform without a wheel recipe tfjs-node's own installer is tried instead.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NO_NATIVE_ENGINE } from './consequences.mjs';
import { linkOrCopy, sha256Parts, temporaryName, writeWhole } from './files.mjs';
import { isLibraryWhole, libraryFolder, LIBTENSORFLOW_VERSION, wheelFor } from './libtensorflow.mjs';
import { failureReason, runCommand } from './run-command.mjs';

export const BINDING = 'native binding';

/** Node-API versions whose folder tfjs-node's loader may ask for: Node 20 says 9, Electron 42 says 10. */
const NAPI_VERSIONS = [8, 9, 10];
const MODULE_FILE = 'tfjs_binding.node';
const COMPILERS = ['g++', 'clang++', 'c++'];
const COMPILE_FLAGS = ['-std=c++17', '-O2', '-fPIC', '-shared', '-DNAPI_VERSION=8'];
const LINK_FLAGS = ['-ltensorflow', '-ltensorflow_framework', '-Wl,-rpath,$ORIGIN/../../deps/lib'];
const UTIL_SHIM = fileURLToPath(new URL('./util-shim.cjs', import.meta.url));
const PROOF = `const tf=require(process.argv[1]);const m=tf.matMul(tf.tensor2d([1,2,3,4],[2,2]),tf.tensor2d([5,6,7,8],[2,2]));
if(tf.getBackend()!=='tensorflow'||[...m.dataSync()].join()!=='19,22,43,50')process.exit(3);
process.stdout.write(require('node:util').inspect(tf.version['tfjs-node']));`;

/** @type {import('./steps.mjs').Step} */
export const bindingStep = {
  name: BINDING,
  fatal: false,
  optional: true,
  follows: NO_NATIVE_ENGINE,
  async isDone({ project, cache }) {
    const places = bindingFiles(project);
    if (!wheelFor())
      return places.some((file) => existsSync(file)) && existsSync(officialProofFile(project))
        ? 'installed the official way'
        : null;
    if (!isLibraryWhole(libraryFolder(cache)) || !librariesLinked(project, cache)) return null;
    const built = findBuilt(project, cache);
    if (!built || !places.every((file) => sameBytes(file, built.file))) return null;
    return existsSync(proofFile(built)) ? `built for libtensorflow ${LIBTENSORFLOW_VERSION}, computes` : null;
  },
  async perform(context) {
    const { project, cache, say } = context;
    if (!wheelFor()) return installOfficially(context);
    if (!isLibraryWhole(libraryFolder(cache)))
      return failure('libtensorflow is missing (see above)', 'mend the step above, then run npm run setup again');
    linkLibraries(project, cache);
    let built = findBuilt(project, cache);
    if (!built) {
      const compiler = await findCompiler();
      if (!compiler)
        return failure(
          `no C++ compiler found (${COMPILERS.join(', ')})`,
          'install one (Debian: apt-get install g++), then run npm run setup again',
        );
      say(`compiling the binding with ${compiler.version}`);
      const compiled = await compile(compiler, context);
      if (compiled.failure) return compiled.failure;
      built = compiled;
    }
    placeBinding(project, built.file);
    say('checking that it computes');
    const proof = await proveBinding(project);
    if (!proof.ok)
      return failure(
        `loading the built binding: ${failureReason(proof)}`,
        'remove the folder "binding" of the cache and run npm run setup again',
      );
    writeWhole(proofFile(built), `${process.version}\n`);
    return { ok: true, detail: `built for libtensorflow ${LIBTENSORFLOW_VERSION}, computes` };
  },
};

/** The places where tfjs-node's loader looks for the binding. */
export function bindingFiles(project) {
  return NAPI_VERSIONS.map((version) => resolve(project.tfjsBindings, `napi-v${version}`, MODULE_FILE));
}

/** Runs a small product on TensorFlow in a process of its own. */
export function proveBinding(project) {
  return runCommand(process.execPath, ['-r', UTIL_SHIM, '-e', PROOF, project.tfjsNode], {
    cwd: project.root,
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' },
    timeoutSeconds: 120,
  });
}

/** The key of everything that goes into the binding but the compiler: sources, headers, flags, platform, library version. */
function sourceKey(project, cache) {
  const binding = resolve(project.tfjsNode, 'binding');
  const includes = resolve(libraryFolder(cache), 'include');
  const files = [
    ...filesUnder(binding).map((name) => ({ name: `binding/${name}`, path: resolve(binding, name) })),
    ...filesUnder(project.nodeApiHeaders).map((name) => ({
      name: `napi/${name}`,
      path: resolve(project.nodeApiHeaders, name),
    })),
    ...filesUnder(includes).map((name) => ({ name: `tf/${name}`, path: resolve(includes, name) })),
  ];
  const flags = [...COMPILE_FLAGS, ...LINK_FLAGS, process.platform, process.arch, LIBTENSORFLOW_VERSION].join('\n');
  return sha256Parts([
    ...files.map(({ name, path }) => ({ name, bytes: readFileSync(path) })),
    { name: 'flags', bytes: flags },
  ]).slice(0, 16);
}

/** The names of all files below a folder, sorted. */
function filesUnder(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => resolve(entry.parentPath ?? entry.path, entry.name).slice(folder.length + 1))
    .sort();
}

/** The binding that an earlier setup built from the same sources, by whichever compiler; null where there is none. */
function findBuilt(project, cache) {
  if (!existsSync(resolve(project.tfjsNode, 'binding'))) return null;
  const prefix = `${sourceKey(project, cache)}-`;
  if (!existsSync(cache.binding)) return null;
  const name = readdirSync(cache.binding).find(
    (entry) => entry.startsWith(prefix) && existsSync(resolve(cache.binding, entry, MODULE_FILE)),
  );
  return name ? { file: resolve(cache.binding, name, MODULE_FILE) } : null;
}

/** The first compiler that answers, with its version line. */
async function findCompiler() {
  for (const command of COMPILERS) {
    const result = await runCommand(command, ['--version'], { timeoutSeconds: 30 });
    if (result.ok) return { command, version: result.stdout.split('\n')[0].trim() };
  }
  return null;
}

async function compile(compiler, { project, cache }) {
  const folder = libraryFolder(cache);
  const key = `${sourceKey(project, cache)}-${sha256Parts([{ name: 'compiler', bytes: compiler.version }]).slice(0, 8)}`;
  mkdirSync(cache.temporary, { recursive: true });
  const work = mkdtempSync(resolve(cache.temporary, 'binding-'));
  try {
    const output = resolve(work, MODULE_FILE);
    const includes = ['..', resolve(folder, 'include'), project.nodeApiHeaders].map((path) => `-I${path}`);
    const sources = ['binding/tfjs_backend.cc', 'binding/tfjs_binding.cc'];
    const args = [
      ...COMPILE_FLAGS,
      ...includes,
      ...sources,
      '-o',
      output,
      `-L${resolve(folder, 'lib')}`,
      ...LINK_FLAGS,
    ];
    const result = await runCommand(compiler.command, args, { cwd: project.tfjsNode, timeoutSeconds: 600 });
    if (!result.ok)
      return {
        failure: failure(
          `${compiler.command}: ${failureReason(result)}`,
          'use g++ 9 or newer, then run npm run setup again',
        ),
      };
    const target = resolve(cache.binding, key, MODULE_FILE);
    mkdirSync(resolve(cache.binding, key), { recursive: true });
    renameSync(output, target);
    return { file: target };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function linkLibraries(project, cache) {
  for (const name of wheelFor().libraries)
    linkOrCopy(resolve(libraryFolder(cache), 'lib', name), resolve(project.tfjsLibraries, name));
}

function librariesLinked(project, cache) {
  return wheelFor().libraries.every((name) => {
    const path = resolve(project.tfjsLibraries, name);
    return existsSync(path) && existsSync(resolve(libraryFolder(cache), 'lib', name));
  });
}

function placeBinding(project, built) {
  for (const file of bindingFiles(project)) {
    if (sameBytes(file, built)) continue;
    mkdirSync(resolve(file, '..'), { recursive: true });
    const temporary = temporaryName(file);
    copyFileSync(built, temporary);
    renameSync(temporary, file);
  }
}

function sameBytes(a, b) {
  return existsSync(a) && readFileSync(a).equals(readFileSync(b));
}

function proofFile(built) {
  return resolve(built.file, '..', 'computes.txt');
}

function officialProofFile(project) {
  return resolve(project.tfjsNode, 'computes.txt');
}

/** tfjs-node's own way, for platforms without a recipe: it downloads libtensorflow and a prebuilt binding. */
async function installOfficially({ project, say }) {
  say("running tfjs-node's own installer");
  const result = await runCommand(process.execPath, [resolve(project.tfjsNode, 'scripts/install.js')], {
    cwd: project.tfjsNode,
    env: {
      ...process.env,
      PATH: `${resolve(project.nodeModules, '.bin')}${process.platform === 'win32' ? ';' : ':'}${process.env.PATH ?? ''}`,
    },
    timeoutSeconds: 900,
  });
  const proof = await proveBinding(project);
  if (result.ok && proof.ok) {
    writeWhole(officialProofFile(project), `${process.version}\n`);
    return { ok: true, detail: 'installed the official way, computes' };
  }
  const words = result.ok ? failureReason(proof) : failureReason(result);
  return failure(
    `tfjs-node's own installer for ${process.platform}-${process.arch}: ${words}`,
    `run "npm rebuild @tensorflow/tfjs-node --ignore-scripts=false" where its download works, or use Linux x64`,
  );
}

function failure(tried, remedy) {
  return { ok: false, detail: 'not available', tried, follows: NO_NATIVE_ENGINE, remedy };
}
