/**
 * Loaded into a program's main process before the program itself (`electron -r`): tells when its window can be used and
 * ends it. The same for every program, so that what is compared is the program and not the measuring.
 */
const { app } = require('electron');

const INTERACTIVE = `new Promise((resolve) => {
  const look = () => requestAnimationFrame(document.querySelector('#app > *') ? () => resolve(true) : look);
  look();
})`;

app.on('browser-window-created', (_event, window) => {
  window.webContents.once('dom-ready', async () => {
    await window.webContents.executeJavaScript(INTERACTIVE);
    process.stdout.write(`interactive ${Date.now()}\n`);
    app.exit(0);
  });
});
