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
  const [, name = '', digits = ''] = /^(\w+)=(\d+)$/.exec(text) ?? [];
  const value = Number(digits);
  if (!isLimitName(name) || value < 1 || !Number.isSafeInteger(value)) {
    throw new TempogradError(
      'usage/bad-option',
      `--limit takes NAME=VALUE with a whole number from 1 to ${String(Number.MAX_SAFE_INTEGER)}, not "${text}"`,
      {
        remedy: `The names are ${Object.keys(DEFAULT_LIMITS).join(', ')}.`,
      },
    );
  }
  return { ...before, [name]: value };
}
