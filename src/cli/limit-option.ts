/**
 * `--limit NAME=VALUE`: one cap of the readers, raised for an honest big file or lowered for a machine that is shared.
 */
import { Option } from 'commander';
import { TempogradError } from '../core/errors';
import { DEFAULT_LIMITS, isLimitName, type ReadLimits } from '../readers/limits';

/** The option, which may be given several times. */
export function limitOption(): Option {
  return new Option('--limit <name=value>', 'a safety limit of the readers, by the name an error gives it').argParser(
    addLimit,
  );
}

function addLimit(text: string, before: Partial<ReadLimits> = {}): Partial<ReadLimits> {
  const [, name = '', digits = ''] = /^(\w+)=(\d{1,15})$/.exec(text) ?? [];
  if (!isLimitName(name) || Number(digits) < 1) {
    throw new TempogradError('usage/bad-option', `--limit takes NAME=VALUE with a whole number, not "${text}"`, {
      remedy: `The names are ${Object.keys(DEFAULT_LIMITS).join(', ')}.`,
    });
  }
  return { ...before, [name]: Number(digits) };
}
