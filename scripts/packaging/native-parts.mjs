/**
 * The native engine as it ships: the binding and the two libraries of TensorFlow, stripped of what only a linker needs (633 MB become
 * 457 MB); the stripped copies are kept in the cache.
 */
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { bindingFiles } from '../setup/binding.mjs';
import { megabytes, temporaryName } from '../setup/files.mjs';
import { isLibraryWhole, libraryFolder, wheelFor } from '../setup/libtensorflow.mjs';
import { failureReason, runCommand } from '../setup/run-command.mjs';

/**
 * The files of the native engine and their places inside tfjs-node's folder.
 *
 * @param {import('../setup/steps.mjs').SetupContext} context where things are and where lines go
 * @returns {Promise<{ from: string, to: string }[] | null>} null where this machine has no native engine
 */
export async function nativeParts({ project, cache, say }) {
  const binding = bindingFiles(project).at(-1);
  if (!wheelFor() || !existsSync(binding) || !isLibraryWhole(libraryFolder(cache))) return null;
  const parts = [{ from: binding, to: 'lib/napi-v10/tfjs_binding.node' }];
  for (const name of wheelFor().libraries)
    parts.push({ from: await stripped(name, cache, say), to: `deps/lib/${name}` });
  return parts;
}

/** The licence files that have to go with the library. */
export function licenceParts(cache) {
  return ['LICENSE', 'THIRD_PARTY_NOTICES.txt'].map((name) => ({
    from: resolve(libraryFolder(cache), 'licences', name),
    to: `TENSORFLOW-${name}`,
  }));
}

/** A stripped copy of a library in the cache; the library itself where there is no `strip`. */
async function stripped(name, cache, say) {
  const original = resolve(libraryFolder(cache), 'lib', name);
  const target = resolve(libraryFolder(cache), 'stripped', name);
  if (existsSync(target) && statSync(target).mtimeMs >= statSync(original).mtimeMs) return target;
  mkdirSync(resolve(target, '..'), { recursive: true });
  const temporary = temporaryName(target);
  copyFileSync(original, temporary);
  const result = await runCommand('strip', ['--strip-unneeded', temporary], { timeoutSeconds: 300 });
  if (!result.ok) {
    rmSync(temporary, { force: true });
    say(
      `dist: ${name} ships unstripped: ${result.missing ? 'no strip here (Debian: apt-get install binutils)' : failureReason(result)}`,
    );
    return original;
  }
  renameSync(temporary, target);
  say(`dist: stripped ${name}: ${megabytes(statSync(original).size)} -> ${megabytes(statSync(target).size)}`);
  return target;
}
