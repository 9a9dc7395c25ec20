/** The output of `exopool consumer plan`: the decision of the purchase policy, and the figures behind it. */
import { formatBytes, formatCount, GiB, MiB } from '@exopool/shared';
import {
  decidePurchase,
  exactCurve,
  meanAbsoluteError,
  sampledCurve,
  valueOf,
  type MissRatioCurve,
  type Purchase,
  type PurchaseReason,
  type PurchaseSituation,
  type TraceUse,
} from '@exopool/memtrade';
import { textTable } from './text-table.js';

export interface PlanWish {
  readonly price: number;
  readonly waitingPrice: number;
  readonly missMs: number;
  readonly hitMs: number;
  readonly rate: number;
  readonly budget?: number | undefined;
  readonly slabs: number;
  readonly slabMib: number;
  readonly held: number;
  readonly exact: boolean;
}

export interface PlanRow {
  readonly slabs: number;
  readonly bytes: number;
  readonly missRatio: number;
  /** US dollars an hour for all these slabs. */
  readonly value: number;
  readonly cost: number;
}

export interface Plan {
  readonly requests: number;
  readonly workingSetBytes: number;
  readonly purchase: Purchase;
  readonly rows: readonly PlanRow[];
  readonly slabBytes: number;
  readonly curve: MissRatioCurve;
  /** Only when it was asked for. */
  readonly exact: { readonly curve: MissRatioCurve; readonly meanAbsoluteError: number } | undefined;
}

/** Rows of the table; with more slabs it shows them in steps. */
const rowsMax = 16;

const reasons: Readonly<Record<PurchaseReason, string>> = {
  worth: 'another slab would cost more than it saves',
  budget: 'more slabs would pay off, but exceed the budget',
  limit: 'more slabs would pay off, but --slabs does not allow them',
  margin: 'another number would be better, but by less than the margin for a change',
};

export function makePlan(wish: PlanWish, uses: readonly TraceUse[]): Plan {
  const slabBytes = wish.slabMib * MiB;
  const curve = sampledCurve(uses);
  const situation: PurchaseSituation = {
    curve,
    requestsPerSecond: wish.rate,
    missPenaltySeconds: (wish.missMs - wish.hitMs) / 1000,
    waitingPricePerHour: wish.waitingPrice,
    slabPricePerHour: (wish.price * slabBytes) / GiB,
    slabBytes,
    slabsMax: wish.slabs,
    heldSlabs: wish.held,
    budgetPerHour: wish.budget,
  };
  const { workingSetBytes } = curve;
  const purchase = decidePurchase(situation);
  const exact = wish.exact ? exactCurve(uses) : undefined;
  return {
    requests: uses.length,
    workingSetBytes,
    purchase,
    rows: slabCounts(situation, purchase.slabs).map((slabs) => rowOf(situation, slabs)),
    slabBytes,
    curve,
    exact: exact && {
      curve: exact,
      meanAbsoluteError: meanAbsoluteError(curve, exact, exact.workingSetBytes),
    },
  };
}

/** Counts in even steps up to the working set, with the number to buy among them. */
function slabCounts({ curve, slabBytes, slabsMax }: PurchaseSituation, bought: number): number[] {
  const most = Math.max(bought, Math.min(slabsMax, Math.ceil(curve.workingSetBytes / slabBytes)));
  const step = Math.max(1, Math.ceil(most / rowsMax));
  const even = Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => index * step);
  return [...new Set([...even, bought, most])].sort((a, b) => a - b);
}

function rowOf(situation: PurchaseSituation, slabs: number): PlanRow {
  const bytes = slabs * situation.slabBytes;
  const cost = slabs * situation.slabPricePerHour;
  return { slabs, bytes, missRatio: situation.curve.at(bytes), value: valueOf(situation, slabs), cost };
}

export function describePlan({ requests, workingSetBytes, purchase, rows, slabBytes, exact }: Plan): string {
  const { slabs, value, cost, reason } = purchase;
  const header = ['slabs', 'memory', 'misses', 'saves $/h', 'costs $/h', 'gain $/h', ''];
  const cells = rows.map((row) => [
    String(row.slabs),
    formatBytes(row.bytes),
    `${(row.missRatio * 100).toFixed(1)} %`,
    dollars(row.value),
    dollars(row.cost),
    dollars(row.value - row.cost),
    row.slabs === slabs ? '<- this' : '',
  ]);
  const accuracy =
    exact === undefined
      ? []
      : [`sampled curve: mean absolute error ${(exact.meanAbsoluteError * 100).toFixed(2)} %`];
  return [
    `${formatCount(requests)} requests, working set ${formatBytes(workingSetBytes)}`,
    ...accuracy,
    '',
    textTable([header, ...cells]),
    '',
    `lease ${slabs} slabs (${formatBytes(slabs * slabBytes)}): saves ${dollars(value)} and costs ${dollars(cost)} dollars an hour;`,
    reasons[reason],
  ].join('\n');
}

function dollars(amount: number): string {
  return amount.toFixed(5);
}

/** The plan for JSON, without the long curves. */
export function summarizePlan(plan: Plan): object {
  const { requests, workingSetBytes, purchase, rows, slabBytes, exact } = plan;
  const accuracy = exact === undefined ? {} : { meanAbsoluteError: exact.meanAbsoluteError };
  return { requests, workingSetBytes, slabBytes, purchase, rows, ...accuracy };
}
