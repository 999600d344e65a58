/** Seeded changes to a JSON text that is still one. */
import type { RandomSource } from '../../../src/core/random';
import { below, pick } from './mutate-bytes';

const VALUES: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  1.5,
  1e308,
  2 ** 53,
  '',
  '../../etc/passwd',
  '__proto__',
  'LSTM',
  'Lambda',
  'hard_sigmoid',
  [],
  {},
  [[[[[[]]]]]],
  ['memory', 0, 0],
  [['memory', 7, -3, {}]],
  { class_name: 'LSTM', config: {} },
  'x'.repeat(10_000),
];

/** A JSON text with one value replaced, removed, doubled or exchanged. */
export function mutateJson(text: string, random: RandomSource): string {
  const root = JSON.parse(text) as unknown;
  const places: { readonly parent: Record<string, unknown> | unknown[]; readonly key: string }[] = [];
  const collect = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const key of Object.keys(value)) {
      places.push({ parent: value as Record<string, unknown>, key });
      collect((value as Record<string, unknown>)[key]);
    }
  };
  collect(root);
  for (let count = 1 + below(random, 3); count > 0; count--) {
    const { parent, key } = pick(random, places);
    const record = parent as Record<string, unknown>;
    const choice = below(random, 5);
    if (choice === 0 && Array.isArray(parent)) parent.splice(Number(key), 1);
    else if (choice === 0) delete record[key];
    else if (choice === 1 && Array.isArray(parent)) parent.push(structuredClone(parent[Number(key)]));
    else if (choice === 2)
      record[key] = structuredClone(
        pick(
          random,
          places.map((place) => (place.parent as never)[place.key] as unknown),
        ),
      );
    else record[key] = structuredClone(pick(random, VALUES));
  }
  return JSON.stringify(root);
}
