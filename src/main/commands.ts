/**
 * What the commands of main do; those of the window are passed on to it.
 */
import type { Command, MainCommandId } from '../shared/commands';

/** One action for each command of main; a missing one does not compile. */
export type CommandActions = Readonly<Record<MainCommandId, () => void>>;

/**
 * A function that carries out any command.
 *
 * @param actions - The commands of main.
 * @param passOn - Takes the id of a command of the window.
 */
export function makeCommandRunner(actions: CommandActions, passOn: (id: string) => void): (command: Command) => void {
  return (command) => {
    if (command.target === 'window') passOn(command.id);
    else actions[command.id as MainCommandId]();
  };
}
