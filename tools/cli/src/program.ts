/** The program: all commands together. Each has a file of its own in commands/. */
import { existsSync, readFileSync } from 'node:fs';
import { Command } from 'commander';
import { addLazyCommands, type LazyCommand } from './lazy-commands.js';

/** @param mainPath the file that runs this program; some commands start it again. */
export function makeProgram(mainPath: string): Command {
  const program = new Command('exopool')
    .description(
      'A key-value store whose lookups run inside the kernel, with idle memory of other machines as its cache.',
    )
    .version(packageVersion(), '-V, --version')
    // main.ts prints all errors in one form.
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    // An option after a command belongs to that command, even if its parent has an option of the same name.
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .addHelpText(
      'after',
      `
Examples:
  exopool demo                                  measure the whole stack here: about a minute once it is set up
  exopool doctor                                show what works on this machine, and how to enable the rest
  exopool store load --from data.jsonl ./data   load a file into a store
  exopool store get ./data KEY                  read a value from it

Exit status: 0 for success, 1 for a failure, 2 for a usage error, 130 after Ctrl-C.
EXOPOOL_DEBUG=1 adds a stack trace to errors.`,
    );
  addLazyCommands(program, [...commandList(mainPath), ...(isCheckout() ? checkoutCommands : [])]);
  return program;
}

/** The published package has no sources. */
function isCheckout(): boolean {
  return existsSync(new URL('../src', import.meta.url));
}

/** The script ./exopool does these itself, before it starts this program. */
const checkoutCommands: readonly LazyCommand[] = [
  {
    name: 'setup',
    description: 'install missing packages and build; quick when nothing is missing',
    load: async () => (await import('./commands/setup.js')).defineSetup,
  },
  {
    name: 'test',
    description: 'run lint, type checks and all tests',
    load: async () => (await import('./commands/test.js')).defineTest,
  },
];

function commandList(mainPath: string): LazyCommand[] {
  return [
    {
      name: 'demo',
      description: 'run broker, producers and a consumer with a store on this machine, and measure them',
      load: async () => {
        const { defineDemo } = await import('./commands/demo.js');
        return (command) => defineDemo(command, mainPath);
      },
    },
    {
      name: 'broker',
      description: 'run the market, which places, prices and signs leases of memory',
      load: async () => (await import('./commands/broker.js')).defineBroker,
    },
    {
      name: 'producer',
      description: "offer this machine's idle memory for lease",
      load: async () => (await import('./commands/producer.js')).defineProducer,
    },
    {
      name: 'consumer',
      description: 'lease memory of other machines, as a cache or a block device',
      load: async () => (await import('./commands/consumer.js')).defineConsumer,
    },
    {
      name: 'store',
      description: 'load, read and check an ordered key-value store',
      load: async () => (await import('./commands/store.js')).defineStore,
    },
    {
      name: 'traversal',
      description: 'compile a C function and run it over a file, in the kernel or at user level',
      load: async () => (await import('./commands/traversal.js')).defineTraversal,
    },
    {
      name: 'bench',
      description: 'measure exopool and its peers in the same run',
      load: async () => (await import('./commands/bench.js')).defineBench,
    },
    {
      name: 'breakdown',
      description:
        'show the time of a read in each layer: system call, file system, block layer, driver, device',
      load: async () => (await import('./commands/breakdown.js')).defineBreakdown,
    },
    {
      name: 'doctor',
      description: 'show what works on this machine, and how to enable the rest',
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
