/**
 * Suite market: it measures how well the broker's predictor knows which memory stays free.
 *
 * It runs the broker's own code over a trace of machines, step by step and with nothing but the past, against
 * persistence, which promises all that is free. Leases of 10, 30, 60 and 120 minutes are made on every machine at every
 * step. Without a trace the machines are random: that shows whether the predictor works, not how well.
 */
import { setImmediate } from 'node:timers/promises';
import { ExopoolError } from '@exopool/shared';
import type { Row, SuiteOptions, SuiteResult } from '../suite.js';
import { calibrationOf, lossesOf, type Losses } from './backtest.js';
import { populationOf } from './population.js';
import { readUsage, type UsageTrace } from './usage-trace.js';

/** Lengths of leases, in steps of five minutes, and what each ratio must reach. */
const lengths = [
  { steps: 2, name: 'revoked_vs_persistence_10m', target: 8 },
  { steps: 6, name: 'revoked_vs_persistence_30m', target: 5.5 },
  { steps: 12, name: 'revoked_vs_persistence', target: 4 },
  { steps: 24, name: 'revoked_vs_persistence_120m', target: 3 },
] as const;
const hourSteps = 12;
/** The share of free memory to promise. */
const volumeWanted = 0.98;
/** The share of slabs that may be taken back early. The measured share must lie between these multiples of it. */
const revocationSlo = 0.002;
const sloAtLeast = 0.75;
const sloAtMost = 1.25;
/** Control needs some hours of ended leases. */
const sloFromStep = 72;
const level = 0.9;
const calibrationTarget = 0.85;
/** Targets for the report; some have an upper bound, too. */
const targets = {
  ...Object.fromEntries(lengths.map(({ name, target }) => [name, target])),
  volume_vs_persistence: volumeWanted,
  calibration: calibrationTarget,
};
const targetsAtMost = { slo_kept: sloAtMost };
/** Random machines: as many machines and steps as the public trace has. */
const machines = 800;
const machinesQuick = 200;
const steps = 288;
const seedDefault = 1;

export async function runMarket(options: SuiteOptions): Promise<SuiteResult> {
  if (options.only !== undefined)
    throw new ExopoolError('EXOPOOL_USAGE', '--only is for suites with contenders; market has none');
  const seed = options.seed ?? seedDefault;
  const trace =
    options.vms === undefined
      ? populationOf(options.quick ? machinesQuick : machines, steps, seed)
      : await readUsage(options.vms);
  const rows: Row[] = [];
  const ratios: Record<string, number> = {};
  const checks: Record<string, boolean> = {};
  for (const { steps: leaseSteps, name, target } of lengths) {
    await pause(options, `leases of ${leaseSteps * 5} minutes`);
    const losses = lossesOf(trace, { volume: volumeWanted }, [leaseSteps]);
    rows.push(...lossRows(`leases of ${leaseSteps * 5} minutes`, losses));
    ratios[name] = (losses.persistenceLost / losses.persistencePromised) * (losses.promised / losses.lost);
    checks[name] = ratios[name] >= target;
    if (leaseSteps === hourSteps) {
      ratios['volume_vs_persistence'] = losses.promised / losses.persistencePromised;
      checks['volume_vs_persistence'] = ratios['volume_vs_persistence'] >= volumeWanted;
    }
  }
  await pause(options, 'a promised share of revocations');
  const slo = lossesOf(trace, { revocations: revocationSlo }, [hourSteps], sloFromStep);
  rows.push(...lossRows(`at most ${revocationSlo * 100} % revoked, leases of an hour`, slo));
  ratios['slo_kept'] = slo.lost / slo.promised / revocationSlo;
  checks['slo_kept'] = ratios['slo_kept'] >= sloAtLeast && ratios['slo_kept'] <= sloAtMost;
  await pause(options, 'odds');
  rows.push(oddsRow(trace, ratios));
  checks['calibration'] = ratios['calibration']! >= calibrationTarget;
  return {
    suite: 'market',
    setup: setupOf(options, trace, seed),
    notes: notesOf(options, checks),
    rows,
    ratios,
    checks,
    plots: [revokedPlot(rows)],
  };
}

/** Lets Ctrl-C through, since all else computes without a pause. */
async function pause(options: SuiteOptions, what: string): Promise<void> {
  await setImmediate();
  options.signal.throwIfAborted();
  options.say(what);
}

function lossRows(name: string, losses: Losses): Row[] {
  return [
    {
      name,
      contender: 'exopool',
      revoked_share: losses.lost / losses.promised,
      volume_share: losses.promised / losses.persistencePromised,
    },
    {
      name,
      contender: 'persistence',
      revoked_share: losses.persistenceLost / losses.persistencePromised,
      volume_share: 1,
    },
  ];
}

function oddsRow(trace: UsageTrace, ratios: Record<string, number>): Row {
  const { worstDecile, all, volume } = calibrationOf(trace, level, hourSteps);
  ratios['calibration'] = worstDecile;
  ratios['calibration_all'] = all;
  return {
    name: `slabs that stay for an hour with a probability of ${level}, worst tenth of the machines`,
    contender: 'exopool',
    kept_share: worstDecile,
    volume_share: volume,
  };
}

function setupOf(options: SuiteOptions, trace: UsageTrace, seed: number): Record<string, unknown> {
  const source = options.vms === undefined ? { seed } : { vms: options.vms };
  return {
    ...source,
    machines: trace.length,
    steps: trace[0]!.length,
    slabs_a_machine: 64,
    targets,
    targets_at_most: targetsAtMost,
    volume: volumeWanted,
  };
}

function notesOf(options: SuiteOptions, checks: Readonly<Record<string, boolean>>): string[] {
  const missed = Object.keys(checks).filter((name) => !checks[name]);
  return [
    ...(missed.length === 0 ? [] : [`missed: ${missed.join(', ')}`]),
    ...(options.vms === undefined ? ['machines are generated; --vms FILE takes real ones'] : []),
  ];
}

function revokedPlot(rows: readonly Row[]): SuiteResult['plots'][number] {
  const values = rows
    .filter(({ revoked_share: share }) => share !== undefined)
    .map(({ name, contender, revoked_share: share }) => ({ name, contender, percent: 100 * share! }));
  return {
    name: 'market-revoked',
    spec: {
      title: 'Slabs taken back early',
      width: 480,
      data: { values },
      mark: 'bar',
      encoding: {
        y: { field: 'name', type: 'nominal', title: null, sort: null },
        yOffset: { field: 'contender', type: 'nominal' },
        x: { field: 'percent', type: 'quantitative', title: '% of the slabs promised' },
        color: { field: 'contender', type: 'nominal', title: null },
      },
    },
  };
}
