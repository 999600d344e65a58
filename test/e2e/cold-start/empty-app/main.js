/** The least that an Electron window can be: what Tempograd's start is compared with. */
import { app, BrowserWindow } from 'electron';

app.whenReady().then(async () => {
  const window = new BrowserWindow({ show: false, webPreferences: { sandbox: true } });
  window.once('ready-to-show', () => window.show());
  await window.loadURL('data:text/html,<div id="app"><p>empty</p></div>');
});
