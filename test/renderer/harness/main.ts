/** The window in a browser: fake bridge from the options in the URL, then the real start. */
import { makeFakeBridge, type FakeOptions } from '../fake-bridge';

const options = JSON.parse(new URL(location.href).searchParams.get('options') ?? '{}') as Partial<FakeOptions>;
Object.assign(window, { tempograd: makeFakeBridge(options) });
await import('../../../src/renderer/main');
