/** What follows for the user where a step of setup is impossible; one wording for setup, `tempograd doctor` and the window. */
export const NO_NATIVE_ENGINE = 'the program runs on the wasm engine (slower) and the reference engine';
export const NO_WINDOW = 'the window cannot open; the command line works';
export const NOTHING_STARTS = 'nothing can start';
