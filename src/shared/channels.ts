/**
 * The names under which main and preload meet; nothing else may send or listen.
 *
 * Apart from contract.ts so that the sandboxed preload carries no validation library.
 */

/** Raised whenever a message changes its meaning. */
export const PROTOCOL_VERSION = 1;

/** Window to main, answered: `(name, input) -> Reply`. */
export const REQUEST_CHANNEL = 'tempograd:request';

/** Main to window: a `Notice`. */
export const NOTICE_CHANNEL = 'tempograd:notice';

/** Main to window: the port on which the engine process sends run messages and takes credit. */
export const RUN_PORT_CHANNEL = 'tempograd:run-port';

/** Main to window: a run message that main writes itself, because the engine process that should have is gone. */
export const RUN_MESSAGE_CHANNEL = 'tempograd:run-message';

/** `sequence` of a run message that main writes for a dead engine process. */
export const SEQUENCE_OF_MAIN = -1;

/** Run messages that may be under way before the window has granted any credit. */
export const INITIAL_CREDIT = 16;
