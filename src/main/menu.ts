/**
 * The menu, made from the command table.
 */
import { Menu, type MenuItemConstructorOptions } from 'electron';
import { COMMANDS, MENUS, type Command } from '../shared/commands';

/**
 * Makes the menu the application's own.
 *
 * @param run - Carries out a command.
 */
export function installMenu(run: (command: Command) => void): void {
  const template: MenuItemConstructorOptions[] = process.platform === 'darwin' ? [{ role: 'appMenu' }] : [];
  for (const menu of MENUS) {
    const items = COMMANDS.filter((command: Command) => command.menu === menu).flatMap((command) =>
      itemsFor(command, run),
    );
    if (menu === 'File' && process.platform !== 'darwin') items.push({ type: 'separator' }, { role: 'quit' });
    template.push({ label: menu, submenu: items });
    if (menu === 'File') template.push({ role: 'editMenu' });
  }
  Menu.setApplicationMenu(Menu.buildFromTemplate(template));
}

function itemsFor(command: Command, run: (command: Command) => void): MenuItemConstructorOptions[] {
  const item: MenuItemConstructorOptions = { id: command.id, label: command.label, click: () => run(command) };
  if (command.key !== undefined) {
    item.accelerator = command.key;
    item.registerAccelerator = command.keyIsWindows !== true;
  }
  return command.startsGroup === true ? [{ type: 'separator' }, item] : [item];
}
