/**
 * Commands that are loaded by name. A command and its imports are loaded only when it runs: most of the packages take
 * longer to load than most commands take to run.
 */
import type { Command } from 'commander';

export interface LazyCommand {
  readonly name: string;
  readonly description: string;
  /** Loads the function that gives the command its arguments, options, help and action. */
  readonly load: () => Promise<(command: Command) => void>;
}

/** Adds `commands`, and `help` for them, to `parent`. Parse it with `parseAsync`. */
export function addLazyCommands(parent: Command, commands: readonly LazyCommand[]): void {
  const pending = new Map<Command, LazyCommand>();
  const define = async (command: Command): Promise<void> => {
    const lazy = pending.get(command);
    if (lazy === undefined) return;
    pending.delete(command);
    (await lazy.load())(command);
  };
  for (const lazy of commands) pending.set(parent.command(lazy.name).description(lazy.description), lazy);
  parent.hook('preSubcommand', (_parent, command) => define(command));
  addHelpCommand(parent, define);
}

/** Adds `help [command]`, which refuses unknown commands. */
export function addHelpCommand(
  parent: Command,
  define: (command: Command) => Promise<void> | void = () => undefined,
): void {
  parent
    .helpCommand(false)
    .command('help')
    .description('display help for command')
    .argument('[command]')
    .action(async (name?: string) => {
      if (name === undefined) return parent.help();
      const command = parent.commands.find((candidate) => candidate.name() === name);
      if (command === undefined) return parent.error(`unknown command '${name}'`);
      await define(command);
      return command.help();
    });
}
