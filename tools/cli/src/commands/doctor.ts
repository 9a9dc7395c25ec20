/** `exopool doctor`: shows what works on this machine, and for the rest the reason and a command that enables it. */
import type { Command } from 'commander';
import { engineFindings, engineFindingsAt, machineCapabilities, type Capability } from '@exopool/native';
import { buildCommand } from '@exopool/native/internal';
import { toExopoolError } from '@exopool/shared';
import { findPrograms } from '../find-programs.js';
import { textTable } from '../text-table.js';

type Mechanism = Omit<Capability, 'group'> & {
  readonly group: Capability['group'] | 'lookup engine' | 'program';
};

export function defineDoctor(command: Command): void {
  command
    .argument('[path]', 'folder of a store, or of a store to be; checks its device and file system too')
    .option('--json', 'print the findings as JSON')
    .addHelpText(
      'after',
      `
It changes nothing. Some mechanisms need root: run it as the user that will run exopool.

Examples:
  exopool doctor
  exopool doctor /data/packages
  exopool doctor --json | jq '.mechanisms[] | select(.available | not)'`,
    )
    .action((path: string | undefined, options: { readonly json?: true }) => {
      const mechanisms = [...lookupEngines(path), ...machineCapabilities(), ...findPrograms()];
      process.stdout.write(
        `${options.json ? JSON.stringify({ mechanisms }, undefined, 2) : describe(mechanisms)}\n`,
      );
    });
}

/** Without the addon no engine runs; then the one finding is the reason for that. */
function lookupEngines(path: string | undefined): Mechanism[] {
  try {
    const findings = path === undefined ? engineFindings() : engineFindingsAt(path);
    return findings.map(({ engine, ...found }) => ({ name: engine, group: 'lookup engine', ...found }));
  } catch (error) {
    const { code, message: reason } = toExopoolError(error);
    if (code !== 'EXOPOOL_NATIVE') throw error;
    return [{ name: 'native addon', group: 'lookup engine', available: false, reason, fix: buildCommand() }];
  }
}

export function describe(mechanisms: readonly Mechanism[]): string {
  const rows = mechanisms.map(({ name, group, available, reason = '', fix }) => [
    available ? 'on' : 'off',
    group,
    name,
    fix === undefined ? reason : `${reason}; to enable: ${fix}`,
  ]);
  return textTable([['', 'group', 'mechanism', 'what was found'], ...rows]);
}
