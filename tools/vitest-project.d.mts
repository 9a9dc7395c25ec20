import type { ViteUserConfig } from 'vitest/config';

export const limits: NonNullable<ViteUserConfig['test']>;
export function testsOf(name: string): ViteUserConfig;
