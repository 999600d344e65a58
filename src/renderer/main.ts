/** Start of the window: stores, bridge, first paint, then the questions to main. */
import { createPinia } from 'pinia';
import { createApp } from 'vue';
import App from './App.vue';
import { grantCredit, onNotice, onRunMessage } from './api';
import { runCommand } from './commands';
import { makeBatcher } from './run-stream';
import { useEngine } from './stores/engine';
import { useProblem } from './stores/problem';
import { useExports } from './stores/run-exports';
import { useRuns } from './stores/runs';
import { useSession } from './stores/session';
import { useSettings } from './stores/settings';
import { useShell } from './stores/shell';
import type { Notice } from '../shared/contract';
import './styles/app.css';

const app = createApp(App);
app.use(createPinia());

const problem = useProblem();
app.config.errorHandler = (error) => problem.showThrown(error);
window.addEventListener('error', (event) => problem.showThrown(event.error ?? event.message));
window.addEventListener('unhandledrejection', (event) => problem.showThrown(event.reason));

function receiveNotice(notice: Notice): void {
  switch (notice.kind) {
    case 'engine-status':
      return useEngine().accept(notice.status);
    case 'opened':
      return useSession().accept(notice.reply);
    case 'opening':
      useSession().opening = notice.fileName;
      return;
    case 'exporting':
      return useExports().accept(notice.fileName);
    case 'export-progress':
      return useExports().acceptProgress(notice.fraction);
    case 'settings':
      return useSettings().accept(notice.settings);
    case 'message':
      return useShell().say(notice.message);
    case 'command':
      return runCommand(notice.command);
  }
}

onRunMessage(makeBatcher((messages) => useRuns().receive(messages), grantCredit));
await useSettings().load();
app.mount('#app');
onNotice(receiveNotice);
await Promise.all([useSession().loadSamples(), useEngine().load()]);
