/** All commands, put together; each has a file of its own in commands/. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { registerBench } from './commands/bench.js';
import { registerBreakdown } from './commands/breakdown.js';
import { registerBroker } from './commands/broker.js';
import { registerConsumer } from './commands/consumer.js';
import { registerDemo } from './commands/demo.js';
import { registerDoctor } from './commands/doctor.js';
import { registerProducer } from './commands/producer.js';
import { registerSetup } from './commands/setup.js';
import { registerStore } from './commands/store.js';
import { registerTest } from './commands/test.js';
import { registerTraversal } from './commands/traversal.js';
import { registerVm } from './commands/vm.js';

/** @param mainPath the file that runs this program, for commands that start others. */
export function makeProgram(mainPath: string): Command {
  const program = new Command('exopool')
    .description(
      'Idle memory of other machines as a cache in front of an index whose lookups run inside the kernel.',
    )
    .version(packageVersion(), '-V, --version')
    // Errors are thrown to main.ts, which prints them in the one form that all errors have.
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    // Options behind a command are that command's, also where one above it has the same.
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .addHelpText(
      'after',
      `
Examples:
  exopool demo                                  everything on this machine, measured, in a minute
  exopool doctor                                what works here, and what would enable the rest
  exopool store load --from data.jsonl ./data   a store from a file; then: exopool store get ./data KEY

Exit status: 0 done, 1 failed, 2 not understood, 130 stopped by Ctrl-C. EXOPOOL_DEBUG=1 adds a stack trace to an error.`,
    );
  registerSetup(program);
  registerDemo(program, mainPath);
  registerBroker(program);
  registerProducer(program);
  registerConsumer(program);
  registerStore(program);
  registerTraversal(program);
  registerBench(program);
  registerBreakdown(program);
  registerDoctor(program);
  registerVm(program);
  registerTest(program);
  return program;
}

function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
