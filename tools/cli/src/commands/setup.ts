/** `exopool setup`: the script ./exopool has done it all before this program runs. */
import type { Command } from 'commander';

export function defineSetup(command: Command): void {
  command
    .addHelpText(
      'after',
      `
As root, missing system packages are installed with apt-get; else the line to run is printed. Then npm ci and the
build, each only when something changed. The output is kept in .exopool/setup.log.

Examples:
  ./exopool setup     before anything else, if you like: every command does it by itself`,
    )
    .action(() => {
      process.stdout.write('exopool: everything is set up\n');
    });
}
