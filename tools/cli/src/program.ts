/** All commands, put together; each has a file of its own in commands/. */
import { existsSync, readFileSync } from 'node:fs';
import { Command } from 'commander';
import { addLazyCommands, type LazyCommand } from './lazy-commands.js';

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
  addLazyCommands(program, [...commandList(mainPath), ...(isCheckout() ? checkoutCommands : [])]);
  return program;
}

/** The published package has no sources. */
function isCheckout(): boolean {
  return existsSync(new URL('../src', import.meta.url));
}

/** What the script ./exopool does before it starts this program. */
const checkoutCommands: readonly LazyCommand[] = [
  {
    name: 'setup',
    description: 'install what is missing and build; quick when nothing is missing',
    load: async () => (await import('./commands/setup.js')).defineSetup,
  },
  {
    name: 'test',
    description: 'lint, type checks and all tests',
    load: async () => (await import('./commands/test.js')).defineTest,
  },
];

function commandList(mainPath: string): LazyCommand[] {
  return [
    {
      name: 'demo',
      description: 'the combined stack on this machine: broker, producers, a consumer with a store; measured',
      load: async () => {
        const { defineDemo } = await import('./commands/demo.js');
        return (command) => defineDemo(command, mainPath);
      },
    },
    {
      name: 'broker',
      description: 'the market: knows who has memory, who wants it, and the price',
      load: async () => (await import('./commands/broker.js')).defineBroker,
    },
    {
      name: 'producer',
      description: "offer this machine's idle memory, and earn from it",
      load: async () => (await import('./commands/producer.js')).defineProducer,
    },
    {
      name: 'consumer',
      description: 'lease remote memory and keep the leases',
      load: async () => (await import('./commands/consumer.js')).defineConsumer,
    },
    {
      name: 'store',
      description: 'an ordered key-value store from the shell',
      load: async () => (await import('./commands/store.js')).defineStore,
    },
    {
      name: 'traversal',
      description: 'your own C function, run in the kernel or at user level over your own file',
      load: async () => (await import('./commands/traversal.js')).defineTraversal,
    },
    {
      name: 'bench',
      description: 'measure it against its peers, in the same run',
      load: async () => (await import('./commands/bench.js')).defineBench,
    },
    {
      name: 'breakdown',
      description: 'where the time of a read goes: system call, file system, block layer, driver, device',
      load: async () => (await import('./commands/breakdown.js')).defineBreakdown,
    },
    {
      name: 'doctor',
      description: 'what this machine offers, what not, and the line that would enable it',
      load: async () => (await import('./commands/doctor.js')).defineDoctor,
    },
    {
      name: 'vm',
      description: 'run a command under another Debian kernel, in QEMU',
      load: async () => (await import('./commands/vm.js')).defineVm,
    },
  ];
}

function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
