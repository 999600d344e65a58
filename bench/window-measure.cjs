/**
 * Loaded into a program's main process before the program itself (`electron -r`): tells when its window can be used, and
 * which helper processes run at its first paint, and ends it. The same for every program that is compared.
 */
const { app } = require('electron');

const INTERACTIVE = `new Promise((resolve) => {
  const look = () => requestAnimationFrame(document.querySelector('#app > *') ? () => resolve(true) : look);
  look();
})`;

const helpersNow = () => app.getAppMetrics().flatMap(({ type, name }) => (type === 'Utility' ? [String(name)] : []));

app.on('browser-window-created', (_event, window) => {
  let helpers = null;
  // Before the program's own listener, which comes after the window is made.
  window.once('ready-to-show', () => (helpers = helpersNow()));
  window.webContents.once('dom-ready', async () => {
    await window.webContents.executeJavaScript(INTERACTIVE);
    const now = Date.now();
    process.stdout.write(`interactive ${JSON.stringify({ now, helpers: helpers ?? helpersNow() })}\n`);
    app.exit(0);
  });
});
