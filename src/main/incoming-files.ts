/**
 * Files that the system hands to the program unasked: by the command line, by a second instance, by a double click.
 *
 * Some come before there is a window; they wait.
 */
import { app } from 'electron';
import { z } from 'zod';

const handedOver = z.object({ files: z.array(z.string().min(1)).max(1000) });

/** Takes files as they come. */
export interface IncomingFiles {
  /** Sets the one receiver; what has waited comes at once. An empty list means "show the window". */
  onFiles(receive: (paths: readonly string[]) => void): void;
}

/**
 * Listens from now on.
 *
 * @param initial - Files of this instance's own command line.
 */
export function collectIncomingFiles(initial: readonly string[]): IncomingFiles {
  let waiting: (readonly string[])[] = initial.length > 0 ? [initial] : [];
  let receiver: ((paths: readonly string[]) => void) | null = null;
  const take = (paths: readonly string[]): void => {
    if (receiver) receiver(paths);
    else waiting.push(paths);
  };
  app.on('open-file', (event, path) => {
    event.preventDefault();
    take([path]);
  });
  app.on('second-instance', (_event, _argv, _folder, data) => {
    const parsed = handedOver.safeParse(data);
    take(parsed.success ? parsed.data.files : []);
  });
  return {
    onFiles(receive) {
      receiver = receive;
      for (const paths of waiting) receive(paths);
      waiting = [];
    },
  };
}
