/** `exopool test`: run by the script ./exopool; here for the help, and for who starts this program directly. */
import type { Command } from 'commander';
import { ExopoolError } from '@exopool/shared';

export function defineTest(command: Command): void {
  command
    .option('--all', 'also the long forms of the tests')
    .option('--vm', 'only the tests in guests with other kernels')
    .option('--no-vm', 'without the tests in guests')
    .argument('[vitest...]', 'arguments for vitest, after --')
    .addHelpText(
      'after',
      `
Examples:
  ./exopool test                     what must pass before a change lands
  ./exopool test -- packages/native  only some of the tests`,
    )
    .action(() => {
      throw new ExopoolError(
        'EXOPOOL_USAGE',
        'the tests are run by the script: ./exopool test, in the checkout',
      );
    });
}
