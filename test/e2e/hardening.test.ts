/** What holds against a hostile page, file or frame: security.md's list, one test a row. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchApp, sendRequest, type RunningApp } from './launch-app';

const PERMISSIONS = [
  'geolocation',
  'notifications',
  'camera',
  'microphone',
  'midi',
  'clipboard-read',
  'persistent-storage',
  'screen-wake-lock',
  'accelerometer',
  'idle-detection',
];

const HOSTILE_URLS = [
  'app://bundle/../package.json',
  'app://bundle/%2e%2e/%2e%2e/package.json',
  'app://bundle/..%2f..%2fpackage.json',
  'app://bundle/..%5c..%5cpackage.json',
  'app://bundle/index.html%00.js',
  'app://bundle//etc/passwd',
  'app://bundle/assets/',
  'app://other/index.html',
  'app://bundle.evil/index.html',
];

let running: RunningApp;

beforeAll(async () => {
  running = await launchApp();
});

afterAll(async () => running?.close());

describe('the page', () => {
  it('comes from the app itself and breaks no policy by itself', async () => {
    const { page } = running;
    expect(await page.evaluate(() => location.href)).toBe('app://bundle/index.html');
    expect(await running.violations()).toEqual([]);
  });

  it('runs sandboxed, isolated, without Node', async () => {
    const { app, page } = running;
    const preferences = await app.evaluate(({ BrowserWindow }) => {
      const [window] = BrowserWindow.getAllWindows();
      const all = (
        window!.webContents as unknown as { getLastWebPreferences(): Record<string, unknown> }
      ).getLastWebPreferences();
      const names = [
        'sandbox',
        'contextIsolation',
        'nodeIntegration',
        'nodeIntegrationInSubFrames',
        'webSecurity',
        'webviewTag',
        'allowRunningInsecureContent',
        'experimentalFeatures',
        'enableBlinkFeatures',
      ];
      return Object.fromEntries(names.map((name) => [name, all[name]]));
    });
    expect(preferences).toEqual({
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      webviewTag: false,
      allowRunningInsecureContent: false,
      experimentalFeatures: false,
      enableBlinkFeatures: '',
    });
    const seen = await page.evaluate(() =>
      ['require', 'process', 'module', 'Buffer', 'global', 'electron'].filter((name) => name in window),
    );
    expect(seen).toEqual([]);
  });

  it('sees exactly the bridge, and cannot change it', async () => {
    const { page } = running;
    const surface = await page.evaluate(() => {
      const shape = (value: unknown, depth: number): unknown =>
        typeof value === 'object' && value !== null && depth < 4
          ? Object.fromEntries(
              Object.keys(value).map((key) => [key, shape((value as Record<string, unknown>)[key], depth + 1)]),
            )
          : typeof value;
      return shape((window as unknown as { tempograd: unknown }).tempograd, 0);
    });
    expect(surface).toEqual({
      request: 'function',
      onNotice: 'function',
      onRunMessage: 'function',
      grantCredit: 'function',
      pathOfFile: 'function',
      protocolVersion: 'number',
    });
    const isReplaced = await page.evaluate(() => {
      const own = window as unknown as { tempograd: { request: unknown } };
      try {
        own.tempograd.request = null;
      } catch {
        return false;
      }
      return own.tempograd.request === null;
    });
    expect(isReplaced).toBe(false);
  });

  it('cannot make code out of text', async () => {
    const { page } = running;
    const outcome = await page.evaluate(async () => {
      const attempt = (action: () => unknown): string => {
        try {
          return `ran: ${String(action())}`;
        } catch (error) {
          return (error as Error).name;
        }
      };
      const marks = window as unknown as { inline?: boolean; byHandler?: boolean };
      const script = document.createElement('script');
      script.textContent = 'window.inline = true';
      document.body.append(script);
      const picture = document.createElement('img');
      picture.setAttribute('onerror', 'window.byHandler = true');
      picture.src = 'app://bundle/none.png';
      document.body.append(picture);
      await new Promise((resolve) => setTimeout(resolve, 200));
      script.remove();
      picture.remove();
      return [
        attempt(() => (0, eval)('1 + 1')),
        attempt(() => new Function('return 2')()),
        marks.inline === true,
        marks.byHandler === true,
      ];
    });
    expect(outcome).toEqual(['EvalError', 'EvalError', false, false]);
  });

  it('stays where it is', async () => {
    const { page, app } = running;
    const before = page.url();
    for (const target of ['https://example.org/', 'file:///etc/passwd', 'app://other/', 'data:text/html,x']) {
      await page.evaluate((url) => {
        location.href = url;
        const link = document.createElement('a');
        link.href = url;
        document.body.append(link);
        link.click();
        link.remove();
        const form = document.createElement('form');
        form.action = url;
        document.body.append(form);
        form.submit();
        form.remove();
      }, target);
      await page.waitForTimeout(100);
      expect(page.url()).toBe(before);
    }
    expect(await page.evaluate(() => window.open('https://example.org/'))).toBeNull();
    expect(await page.evaluate(() => window.open('app://bundle/index.html'))).toBeNull();
    expect(await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().length)).toBe(1);
    // Not by a locator: Playwright would wait for the navigations that were refused.
    expect(await page.evaluate(() => document.querySelector('[data-testid="drop-target"]') !== null)).toBe(true);
  });

  it('gets no frame and no web view, and a frame would get no bridge', async () => {
    const { page, app } = running;
    const seen = await page.evaluate(async () => {
      const own = document.createElement('iframe');
      own.src = 'app://bundle/index.html';
      const blank = document.createElement('iframe');
      const view = document.createElement('webview') as HTMLElement & { src?: string; loadURL?: unknown };
      view.setAttribute('src', 'https://example.org/');
      document.body.append(own, blank, view);
      await new Promise((resolve) => setTimeout(resolve, 300));
      let ownText = 'unreachable';
      try {
        ownText = own.contentDocument?.body.textContent ?? 'unreachable';
      } catch {
        ownText = 'unreachable';
      }
      const result = [ownText, 'tempograd' in (blank.contentWindow ?? {}), typeof view.loadURL];
      for (const element of [own, blank, view]) element.remove();
      return result;
    });
    expect(seen).toEqual(['unreachable', false, 'undefined']);
    expect(
      await app.evaluate(
        ({ webContents }) => webContents.getAllWebContents().filter((all) => all.getType() === 'webview').length,
      ),
    ).toBe(0);
  });

  it('gets no permission at all', async () => {
    const { page } = running;
    const granted = await page.evaluate(async (names) => {
      const states = await Promise.all(
        names.map(async (name) => {
          try {
            return [name, (await navigator.permissions.query({ name: name as PermissionName })).state] as const;
          } catch {
            return [name, 'unknown'] as const;
          }
        }),
      );
      return states.filter(([, state]) => state === 'granted').map(([name]) => name);
    }, PERMISSIONS);
    expect(granted).toEqual([]);
    const answers = await page.evaluate(async () => {
      const refused = (promise: Promise<unknown>): Promise<boolean> =>
        promise.then(
          () => false,
          () => true,
        );
      return [
        await Notification.requestPermission(),
        await new Promise((resolve) =>
          navigator.geolocation.getCurrentPosition(
            () => resolve('given'),
            ({ code }) => resolve(code),
          ),
        ),
        await refused(navigator.mediaDevices.getUserMedia({ audio: true })),
        await refused(navigator.mediaDevices.getDisplayMedia({ video: true })),
        await refused(navigator.clipboard.readText()),
      ];
    });
    expect(answers).toEqual(['denied', 1, true, true, true]);
  });
});

describe('the protocol', () => {
  it('serves the bundle with its policy', async () => {
    const { app } = running;
    const [status, policy] = await app.evaluate(async ({ net }) => {
      const response = await net.fetch('app://bundle/index.html');
      return [response.status, response.headers.get('content-security-policy')];
    });
    expect(status).toBe(200);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toContain('unsafe');
  });

  it.each(HOSTILE_URLS)('gives nothing for %s', async (url) => {
    const { app } = running;
    const status = await app.evaluate(
      async ({ net }, target) =>
        net.fetch(target).then(
          (response) => response.status,
          () => 404,
        ),
      url,
    );
    expect([403, 404]).toContain(status);
  });
});

describe('the gate', () => {
  it.each([
    ['an unknown name', 'formatDisk', {}],
    ['a name of every object', 'constructor', {}],
    ['no argument', 'cancelRun', undefined],
    ['an argument of the wrong type', 'openPaths', { paths: 7 }],
    ['too many paths', 'openPaths', { paths: Array(1001).fill('/x') }],
    ['a request without its parts', 'startRun', { request: {} }],
  ])('refuses %s', async (_what, name, input) => {
    const reply = await sendRequest(running.page, name, input);
    expect(reply).toMatchObject({ ok: false, error: { code: 'usage/bad-option' } });
  });

  it('hears the main frame of its own page and nobody else', async () => {
    const { app } = running;
    const replies = await app.evaluate(async ({ ipcMain, BrowserWindow }) => {
      type Handler = (
        event: unknown,
        name: string,
        input: unknown,
      ) => Promise<{ ok: boolean; error?: { message: string } }>;
      const handlers = (ipcMain as unknown as { _invokeHandlers: Map<string, Handler> })._invokeHandlers;
      const handle = handlers.get('tempograd:request')!;
      const { webContents } = BrowserWindow.getAllWindows()[0]!;
      const own = { sender: webContents, senderFrame: webContents.mainFrame };
      const url = 'app://bundle/index.html';
      const others = [
        { sender: webContents, senderFrame: { url, parent: webContents.mainFrame } },
        { sender: webContents, senderFrame: { url: 'https://example.org/', parent: null } },
        { sender: { id: 9999 }, senderFrame: { url, parent: null } },
        { sender: webContents, senderFrame: null },
      ];
      const ask = async (event: unknown): Promise<boolean> => (await handle(event, 'getSettings', {})).ok;
      return [
        await ask(own),
        ...(await Promise.all(others.map(ask))),
        [...handlers.keys()].filter((key) => !/^[A-Z_]+$/.test(key)),
      ];
    });
    expect(replies).toEqual([true, false, false, false, false, ['tempograd:request']]);
  });
});

describe('the network', () => {
  it('cannot be reached by the page', async () => {
    const { page } = running;
    const outcome = await page.evaluate(async () => {
      const refused = (promise: Promise<unknown>): Promise<boolean> =>
        promise.then(
          () => false,
          () => true,
        );
      const failing = (target: EventTarget, good: string): Promise<boolean> =>
        new Promise((resolve) => {
          target.addEventListener('error', () => resolve(true));
          target.addEventListener(good, () => resolve(false));
        });
      const attempt = async (action: () => Promise<boolean>): Promise<boolean> => {
        try {
          return await action();
        } catch {
          return true;
        }
      };
      return {
        fetch: await refused(fetch('https://example.org/')),
        local: await refused(fetch('http://127.0.0.1:80/')),
        file: await refused(fetch('file:///etc/passwd')),
        socket: await attempt(() => failing(new WebSocket('wss://example.org/'), 'open')),
        events: await attempt(() => failing(new EventSource('https://example.org/'), 'open')),
        picture: await attempt(() => {
          const image = new Image();
          const ended = failing(image, 'load');
          image.src = 'https://example.org/x.png';
          return ended;
        }),
      };
    });
    expect(outcome).toEqual({ fetch: true, local: true, file: true, socket: true, events: true, picture: true });
  });

  it('gives WebRTC no address', async () => {
    const candidates = await running.page.evaluate(async () => {
      const found: string[] = [];
      const connection = new RTCPeerConnection({ iceServers: [{ urls: 'stun:stun.example.org' }] });
      connection.onicecandidate = ({ candidate }) => {
        if (candidate?.candidate) found.push(candidate.candidate);
      };
      connection.createDataChannel('x');
      await connection.setLocalDescription(await connection.createOffer());
      await new Promise((resolve) => setTimeout(resolve, 500));
      connection.close();
      return found;
    });
    expect(candidates).toEqual([]);
  });

  it('cannot be reached by main, neither through Chromium nor through Node', async () => {
    const outcome = await running.app.evaluate(async ({ net }) => {
      const builtin = (name: string): Record<string, (...args: unknown[]) => unknown> =>
        process.getBuiltinModule(name) as unknown as Record<string, (...args: unknown[]) => unknown>;
      const thrown = (action: () => unknown): string => {
        try {
          action();
          return 'nothing';
        } catch (error) {
          return (error as Error).message;
        }
      };
      return [
        await net.fetch('https://example.org/').then(
          () => 'reached',
          (error: Error) => error.message,
        ),
        await net.fetch('http://127.0.0.1:80/').then(
          () => 'reached',
          (error: Error) => error.message,
        ),
        thrown(() => fetch('https://example.org/')),
        thrown(() => builtin('node:net')['connect']!(80, 'example.org')),
        thrown(() => builtin('node:dns')['lookup']!('example.org', () => undefined)),
        thrown(() => builtin('node:https')['get']!('https://example.org/')),
      ];
    });
    expect(outcome.slice(0, 2).every((message) => message.includes('ERR_BLOCKED_BY_CLIENT'))).toBe(true);
    for (const message of outcome.slice(2)) expect(message).toContain('Tempograd has no network');
  });
});

describe('the menu', () => {
  it('offers nothing that loads the page again or opens it to a debugger', async () => {
    const roles = await running.app.evaluate(({ Menu }) => {
      const found: string[] = [];
      const walk = (items: readonly Electron.MenuItem[]): void => {
        for (const item of items) {
          if (item.role) found.push(item.role.toLowerCase());
          if (item.submenu) walk(item.submenu.items);
        }
      };
      walk(Menu.getApplicationMenu()?.items ?? []);
      return found;
    });
    for (const role of ['reload', 'forcereload', 'toggledevtools']) expect(roles).not.toContain(role);
  });
});
