/**
 * `node scripts/performance-table.mjs RUN.json [RUN.json ...] [--growth FOLDER] [--page FILE]`: the
 * figures of docs/performance.md from what
 * `tempograd bench --json` and `tempograd bench --growth FOLDER` wrote. A later file replaces the cases of an earlier one. The
 * page's text stays; what lies between its two marks is made anew, and the picture of growth is copied beside the page.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { PROJECT_ROOT } from './setup/paths.mjs';

const PICTURE = 'images/growth.svg';
const BEGIN = '<!-- figures: made by scripts/performance-table.mjs -->';
const END = '<!-- end of figures -->';

const seconds = (value) =>
  value < 0.1 ? `${(value * 1000).toPrecision(3)} ms` : `${value < 1000 ? value.toPrecision(3) : Math.round(value)} s`;
const megabytes = (bytes) => `${Math.round(bytes / 1e6)} MB`;
const percent = (share) => `${(share * 100).toFixed(0)} %`;
const row = (cells) => `| ${cells.join(' | ')} |`;
const heading = (names) => [row(names), row(names.map(() => '---'))];

/** Time with its spread where there is one. */
function timeOf({ seconds: median, spread, isVoid }) {
  const range = spread.max > spread.min ? ` (${seconds(spread.min)} to ${seconds(spread.max)})` : '';
  return `${seconds(median)}${range}${isVoid ? ', void' : ''}`;
}

/** What a case is held to, in words. */
function targetOf({ target }) {
  const { ratio, fillRatio, peakBytes, residentBytes, seconds: most, firstSeconds, timesOf } = target;
  const words = [
    ratio !== undefined && `at least ${ratio} of sgemm`,
    fillRatio !== undefined && `at least ${fillRatio} of the memory fill`,
    peakBytes !== undefined && `at most ${megabytes(peakBytes)} above the engine`,
    residentBytes !== undefined && `at most ${megabytes(residentBytes)} resident`,
    most !== undefined && `at most ${seconds(most)}`,
    firstSeconds !== undefined && `first result within ${seconds(firstSeconds)}`,
    timesOf && `at most ${timesOf.factor} times ${timesOf.id}`,
  ];
  return words.filter(Boolean).join('; ') || 'against peers';
}

/** The largest error of each mode. */
function errorOf({ error }) {
  const unit = { entries: '', 'log norms': ' nats', exponents: ' nats/step' };
  return Object.values(error)
    .map(({ kind, max, shareInBand }) =>
      shareInBand === null ? `${max.toExponential(1)}${unit[kind]}` : `${percent(shareInBand)} in the band`,
    )
    .join('; ');
}

/** One line about the machine and how busy it was. */
function machineLine({ cores, processor, platform, node, date, loadBefore, loadAfter }, cases) {
  const rates = cases.flatMap(({ runs }) =>
    runs.flatMap(({ sgemm }) => (sgemm ? [sgemm.before, sgemm.after] : []).map(({ square }) => square / 1e9)),
  );
  const range =
    rates.length > 0 ? `, sgemm ${Math.min(...rates).toFixed(0)} to ${Math.max(...rates).toFixed(0)} GFLOP/s` : '';
  const load = `load ${loadBefore[0].toFixed(1)} before and ${loadAfter[0].toFixed(1)} after`;
  return `${date.slice(0, 10)}, ${cores} cores (${processor.trim()}), ${platform}, Node ${node}${range}; ${load}: cases ${cases.map(({ id }) => id).join(', ')}.`;
}

function casesTable(cases) {
  const names = [
    'case',
    'what',
    'time',
    'of sgemm',
    'direct ideal',
    'first result',
    'peak above engine',
    'resident',
    'largest error',
    'cancel',
    'target',
    'met',
  ];
  const rows = cases.map((one) =>
    row([
      one.id,
      `${one.what}; ${one.size.kind} T=${one.size.steps} H=${one.size.units} D=${one.size.inputDim} B=${one.size.batch}`,
      timeOf(one),
      one.ratio ? one.ratio.median.toPrecision(3) : one.fillRatio ? `${one.fillRatio.toFixed(2)} of the fill` : '',
      one.ofIdeal === null ? '' : `${one.ofIdeal.toPrecision(3)} x`,
      seconds(one.firstChunkSeconds),
      megabytes(one.peakBytes),
      megabytes(one.residentBytes),
      errorOf(one),
      one.cancelSeconds === null ? 'over before' : seconds(one.cancelSeconds),
      targetOf(one),
      one.isVoid ? 'void' : one.isMet ? 'yes' : 'no',
    ]),
  );
  return [...heading(names), ...rows].join('\n');
}

function peersTable(peers) {
  const rows = peers.map((one) =>
    row([
      one.id,
      `${one.peer} ${one.version}`,
      seconds(one.seconds),
      seconds(one.coldSeconds),
      one.isExtrapolated ? `carried from ${(one.share * 100).toPrecision(2)} %: ${one.law}` : 'all of it',
      seconds(one.ownSeconds),
      one.times.toPrecision(3),
      one.difference === null ? '' : one.difference.toExponential(0),
    ]),
  );
  const names = [
    'case',
    'peer',
    'warm',
    'first unit, cold',
    'measured',
    'Tempograd beside it',
    'times',
    'difference, nats',
  ];
  return [...heading(names), ...rows].join('\n');
}

function windowTable({ emptyStart, start, readFile, openModel, modelBytes, startRatio, openRatio, isMet }) {
  const rows = [
    row([
      'cold start',
      seconds(start.median),
      `an empty window: ${seconds(emptyStart.median)}`,
      startRatio.toFixed(2),
      'at most 1.5',
    ]),
    row([
      `model of ${megabytes(modelBytes)}`,
      seconds(openModel.median),
      `reading the file: ${seconds(readFile.median)}`,
      openRatio.toFixed(2),
      'at most 2',
    ]),
  ];
  return [...heading(['C12', 'time', 'against', 'ratio', `target (${isMet ? 'met' : 'missed'})`]), ...rows].join('\n');
}

function growthTable({ curves }) {
  const rows = curves.map(({ axis, mode, points, leftOut, exponent, most }) =>
    row([
      `${mode} by ${axis}`,
      points.map(({ value, seconds: own, isVoid }) => `${value}: ${seconds(own)}${isVoid ? ' (void)' : ''}`).join('; '),
      leftOut.join(', '),
      exponent === null ? '' : exponent.toFixed(2),
      most === null ? '' : `at most ${most}`,
    ]),
  );
  return [...heading(['curve', 'points', 'left out for time', 'exponent', 'target']), ...rows].join('\n');
}

const { values: options, positionals: files } = parseArgs({
  allowPositionals: true,
  options: { growth: { type: 'string' }, page: { type: 'string' } },
});
const growthFolder = options.growth ?? null;
const pageFile = options.page ?? join(PROJECT_ROOT, 'docs', 'performance.md');
const page = readFileSync(pageFile, 'utf8');
const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
if (begin < 0 || end < begin) throw new Error(`${pageFile} has lost its marks`);
if (files.length === 0 && growthFolder === null) throw new Error('name what bench --json wrote, or --growth FOLDER');

const runs = files.map((file) => JSON.parse(readFileSync(file, 'utf8')));
const last = (lists, key) => [...new Map(lists.flat().map((one) => [key(one), one])).values()];
const cases = last(
  runs.map((run) => run.cases),
  ({ id }) => id,
);
const peers = last(
  runs.map((run) => run.peers),
  ({ id, peer }) => `${id} ${peer}`,
);
const window = runs.map((run) => run.window).findLast(Boolean);
const skipped = last(
  runs.map((run) => run.skipped),
  ({ id, why }) => `${id} ${why}`,
);
const parts = [];
if (cases.length > 0) {
  const machines = runs
    .filter((run) => run.cases.length > 0)
    .map(({ machine, cases: own }) => `- ${machineLine(machine, own)}`);
  parts.push('### Cases', machines.join('\n'), casesTable(cases));
}
if (peers.length > 0) parts.push('### Peers', peersTable(peers));
if (window) parts.push('### The window', windowTable(window));
if (growthFolder !== null) {
  const growth = JSON.parse(readFileSync(join(growthFolder, 'growth.json'), 'utf8'));
  const { date, cores, loadBefore } = growth.machine;
  const picture = join(dirname(pageFile), PICTURE);
  mkdirSync(dirname(picture), { recursive: true });
  copyFileSync(join(growthFolder, 'growth.svg'), picture);
  const line = `${date.slice(0, 10)}, ${cores} cores, load ${loadBefore[0].toFixed(1)} before.`;
  parts.push('### Growth', line, `![Time of final and of all pairs against T and H](${PICTURE})`, growthTable(growth));
}
if (skipped.length > 0) {
  parts.push('### Not measured', skipped.map(({ id, why }) => `- ${id}: ${why}`).join('\n'));
}
const made = `${BEGIN}\n\n${parts.join('\n\n')}\n\n`;
writeFileSync(pageFile, page.slice(0, begin) + made + page.slice(end));
console.log(`performance-table: ${cases.length} cases, ${peers.length} figures of peers`);
