import { Command } from 'commander';
import { beforeEach, describe, expect, it } from 'vitest';
import { addLazyCommands } from './lazy-commands.js';

let program: Command;
let events: string[];

beforeEach(() => {
  events = [];
  program = new Command('x').exitOverride().configureOutput({
    writeOut: (text) => void events.push(text),
    writeErr: () => undefined,
  });
  const lazy = (name: string): Parameters<typeof addLazyCommands>[1][number] => ({
    name,
    description: `the command ${name}`,
    load: () => {
      events.push(`load ${name}`);
      return Promise.resolve((command: Command) => {
        command.option('--count <number>', 'how many').action(({ count }: { count?: string }) => {
          events.push(`run ${name} ${count ?? ''}`);
        });
      });
    },
  });
  addLazyCommands(program, [lazy('one'), lazy('two')]);
});

const run = (...words: string[]): Promise<Command> => program.parseAsync(words, { from: 'user' });

describe('a lazy command', () => {
  it('is loaded when it is asked for, and no other is', async () => {
    await run('two', '--count', '5');
    expect(events).toEqual(['load two', 'run two 5']);
  });

  it('is listed without being loaded', async () => {
    await expect(run('--help')).rejects.toMatchObject({ exitCode: 0 });
    expect(events).toEqual([expect.stringMatching(/one +the command one\n.*two .*\n.*help \[command\]/)]);
  });

  it.each([
    ['help', 'one'],
    ['one', '--help'],
  ])('has all of its help: %s %s', async (...words) => {
    await expect(run(...words)).rejects.toMatchObject({ exitCode: 0 });
    expect(events).toEqual(['load one', expect.stringContaining('--count <number>')]);
  });
});

it('help refuses a command that there is not, by its name', async () => {
  await expect(run('help', 'nosuch')).rejects.toMatchObject({
    exitCode: 1,
    message: expect.stringContaining("'nosuch'") as string,
  });
  expect(events).toEqual([]);
});
