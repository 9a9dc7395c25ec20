/**
 * Reports the end of a test run: the skipped tests with their reasons, and the totals. ./exopool prints these last.
 * A skip that the floor refuses counts as a failure.
 */
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { Reporter, SerializedError, TestCase, TestModule, TestState, Vitest } from 'vitest/node';
import type {} from './needs.js';
import { refusedSkips, requiredFeatures, skipSummary, type Skip } from './skip-floor.js';

export class FloorReporter implements Reporter {
  readonly #required = requiredFeatures(process.env['EXOPOOL_TEST_REQUIRE']);
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    // With -t, vitest counts all other tests as skipped.
    const isWhole = this.#vitest?.config.testNamePattern === undefined;
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: TestState): number => tests.filter((test) => test.result().state === state).length;
    const skips = isWhole ? tests.filter(isSkip).map(toSkip) : [];
    const refused = refusedSkips(skips, this.#required);
    if (skips.length > 0) console.log(`\nSkipped:\n${lines(skipSummary(skips))}`);
    if (refused.length > 0) {
      console.error(`\nRefused skips:\n${lines(refused)}`);
      process.exitCode = 1;
    }
    const failed = count('failed') + modules.reduce((sum, module) => sum + failedHooks(module), 0);
    const totals = [
      `${count('passed')} passed`,
      `${failed + errors.length + refused.length} failed`,
      `${count('skipped') - refused.length} skipped`,
    ];
    const file = process.env['EXOPOOL_TEST_TOTALS'];
    if (file !== undefined) writeFileSync(file, totals.join(', ') + '\n');
  }
}

/** Tests of a file that failed do not count: that failure is reported already. */
const isSkip = (test: TestCase): boolean => test.result().state === 'skipped' && test.module.ok();

/** Counts failures outside of tests: files that do not load, and hooks of suites. */
const failedHooks = (module: TestModule): number =>
  [module, ...module.children.allSuites()].filter((suite) => suite.errors().length > 0).length;

function toSkip(test: TestCase): Skip {
  const file = relative(process.cwd(), test.module.moduleId);
  return {
    test: `${file}${test.location ? `:${test.location.line}` : ''} ${test.fullName}`,
    lack: test.meta().lack,
  };
}

const lines = (texts: readonly string[]): string => texts.map((text) => `  ${text}`).join('\n');
