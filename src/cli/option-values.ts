/** Values of options, from text; what cannot be one is `usage/bad-option`. */
import { TempogradError } from '../core/errors';
import type { RunRequest } from '../shared/run';
import { MAX_STEPS_OR_BATCH } from '../shared/run-limits';

/**
 * The failure of an option, as the command line tells it.
 *
 * @param message - What is wrong.
 */
export function badOption(message: string): TempogradError {
  return new TempogradError('usage/bad-option', message, { remedy: 'Run `tempograd analyze --help`.' });
}

/**
 * A reader of whole numbers.
 *
 * @param name - The option.
 * @param least - The smallest that it takes.
 */
export function whole(name: string, least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
    throw badOption(`${name} takes a whole number from ${least} on, not "${text}"`);
  };
}

/**
 * A reader of numbers of steps or sequences.
 *
 * @param name - The option.
 */
export function boundedCount(name: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= 1 && value <= MAX_STEPS_OR_BATCH) return value;
    throw badOption(`${name} takes a whole number from 1 to ${MAX_STEPS_OR_BATCH}, not "${text}"`);
  };
}

/**
 * Which part of a run `i/n` means.
 *
 * @param text - The value.
 * @throws TempogradError `usage/bad-option` where i is not one of 1 to n.
 */
export function shardOf(text: string): NonNullable<RunRequest['shard']> {
  const [, first, second] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  const [index, count] = [Number(first), Number(second)];
  if (count >= 1 && index >= 1 && index <= count && Number.isSafeInteger(count)) return { index, count };
  throw badOption(`--shard takes i/n with i from 1 to n, not "${text}"`);
}

/**
 * The pair of steps that `T,S` or `T,S,B` means.
 *
 * @param text - The value.
 * @throws TempogradError `usage/bad-option`.
 */
export function pairPlace(text: string): RunRequest['block'] {
  if (!/^\d+(,\d+){1,2}$/.test(text)) throw badOption(`--block takes T,S or T,S,B, not "${text}"`);
  const [target, source, sequence = 0] = text.split(',').map(Number) as [number, number, number?];
  if ([target, source, sequence].every((index) => index <= MAX_STEPS_OR_BATCH)) return { target, source, sequence };
  throw badOption(`--block takes steps up to ${MAX_STEPS_OR_BATCH}, not "${text}"`);
}

/**
 * How many exponents a text means.
 *
 * @param text - The value.
 * @throws TempogradError `usage/bad-option`.
 */
export function exponentCount(text: string): number | 'all' {
  return text === 'all' ? 'all' : whole('--exponents', 1)(text);
}

/**
 * A reader of positive numbers.
 *
 * @param name - The option.
 */
export function positive(name: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value) && value > 0) return value;
    throw badOption(`${name} takes a positive number, not "${text}"`);
  };
}

/**
 * The words of a comma list.
 *
 * @param text - The value.
 */
export function listOf(text: string): readonly string[] {
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}
