import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { addConfigOptions, readConfig } from './config-options.js';

const schema = z.object({
  listenPort: z.int().min(0).max(65_535).default(7000).describe('port to listen on'),
  name: z.string().optional().describe('a name'),
  secure: z.boolean().default(true).describe('with TLS'),
  verbose: z.boolean().default(false).describe('talk'),
  peers: z.array(z.string()).default([]).describe('others'),
});

function parse(...words: string[]): z.output<typeof schema> {
  const command = addConfigOptions(new Command('x').exitOverride(), schema, 'X');
  command.parse(words, { from: 'user' });
  return readConfig(command, schema, 'X');
}

describe('options from a schema', () => {
  it('default as the schema says', () => {
    expect(parse()).toEqual({ listenPort: 7000, secure: true, verbose: false, peers: [] });
  });

  it('have the types of the schema', () => {
    const given = parse(
      '--listen-port',
      '8',
      '--name',
      '5',
      '--no-secure',
      '--verbose',
      '--peers',
      'a,b',
      '--peers',
      'c',
    );
    expect(given).toEqual({ listenPort: 8, name: '5', secure: false, verbose: true, peers: ['a', 'b', 'c'] });
  });

  it('take words after -- where a setting is made of them', () => {
    const command = addConfigOptions(new Command('x').exitOverride(), schema, 'X', 'peers');
    command.parse(['--verbose', '--', 'run', '--fast'], { from: 'user' });
    expect(readConfig(command, schema, 'X', 'peers')).toMatchObject({
      verbose: true,
      peers: ['run', '--fast'],
    });
  });

  it('are refused by their path', () => {
    expect(() => parse('--listen-port', 'x')).toThrow(/--listen-port: listenPort/);
    expect(() => parse('--config', '/nowhere.json')).toThrow(/cannot read the configuration/);
  });

  it('explain themselves', () => {
    const help = addConfigOptions(new Command('x'), schema, 'X').helpInformation();
    expect(help).toMatch(
      /--listen-port <number> +port to listen on \(EXOPOOL_X_LISTEN_PORT, default\s+7000\)/,
    );
    expect(help).toContain('--no-secure');
  });
});
