/**
 * Writes THIRD-PARTY: every package that ships with Tempograd, its licence and the licence's text.
 *
 * `npm run notices` writes it, `npm run notices -- --check` fails when it is out of date or a licence is not on the list.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const target = join(root, 'THIRD-PARTY');
const require = createRequire(import.meta.url);

/** Licences that may ship with an Apache-2.0 program. */
const ACCEPTED = [
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'OFL-1.1',
  'Unlicense',
];

/** Packages of the window: bundled by the build, so not among the production dependencies' own folders. */
const BUNDLED = [
  'vue',
  '@vue/runtime-dom',
  '@vue/runtime-core',
  '@vue/reactivity',
  '@vue/shared',
  'pinia',
  'zrender',
  'tslib',
  '@fontsource-variable/inter',
];

/** What does not come from npm. */
const OTHERS = `TensorFlow 2.18.1 (libtensorflow), Apache-2.0. Copyright The TensorFlow Authors. Its own third-party notices
stand in the file THIRD_PARTY_NOTICES.txt of its distribution, which setup keeps beside the library.

Electron 42.0.0, MIT, with Chromium and Node.js; their notices ship as LICENSES.chromium.html beside the program.

HDF5 (inside h5wasm): Copyright by The HDF Group and the Board of Trustees of the University of Illinois, BSD-style.
`;

const packages = [...(await productionPackages()), ...BUNDLED.map(describe)]
  .filter((item, index, all) => all.findIndex((other) => other.key === item.key) === index)
  .sort((a, b) => (a.key < b.key ? -1 : 1));

const refused = packages.filter(({ licence }) => !isAccepted(licence));
for (const { key, licence } of refused) console.error(`licence not on the list: ${key}: ${licence}`);
const text = render(packages);
if (process.argv.includes('--check')) {
  const isCurrent = readFileSync(target, 'utf8') === text;
  if (!isCurrent) console.error('THIRD-PARTY is out of date: run npm run notices');
  process.exit(isCurrent && refused.length === 0 ? 0 : 1);
}
writeFileSync(target, text);
console.log(`THIRD-PARTY: ${packages.length} packages`);
process.exit(refused.length === 0 ? 0 : 1);

/** Every package that a production install brings. */
async function productionPackages() {
  const checker = require('license-checker-rseidelsohn');
  const found = await promisify(checker.init)({ start: root, production: true, excludePrivatePackages: true });
  return Object.keys(found)
    .map((key) => key.slice(0, key.lastIndexOf('@')))
    .map(describe);
}

/** Name, version, licence and text of an installed package. */
function describe(name) {
  const folder = join(root, 'node_modules', name);
  const { version, license, licenses } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const licence =
    typeof license === 'string' ? license : (license?.type ?? licenses?.map(({ type }) => type).join(' AND ') ?? '');
  const file = readdirSync(folder).find((entry) => /^(licen[cs]e|copying)(\.\w+)?$/i.test(entry));
  return {
    key: `${name} ${version}`,
    // h5wasm names its file instead: a notice of the National Institute of Standards and Technology, in the public domain.
    licence: licence.startsWith('SEE LICENSE') ? 'CC0-1.0' : licence,
    text: file ? readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n').trim() : '',
  };
}

function isAccepted(expression) {
  const alternatives = expression.replace(/[()]/g, '').split(/ OR /);
  return alternatives.some((one) => one.split(/ AND /).every((licence) => ACCEPTED.includes(licence.trim())));
}

/** The list, then each different text once with the packages that it belongs to. */
function render(items) {
  const texts = new Map();
  for (const { key, text } of items) if (text !== '') texts.set(text, [...(texts.get(text) ?? []), key]);
  const list = items.map(({ key, licence }) => `  ${key}  ${licence}`).join('\n');
  const bodies = [...texts].map(([text, keys]) => `${'='.repeat(100)}\n${keys.join(', ')}\n\n${text}\n`);
  return `Tempograd ships with the work of others.\n\n${OTHERS}\nPackages:\n\n${list}\n\n${bodies.join('\n')}`;
}
