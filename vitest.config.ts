import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      // Subpaths first: an adapter lives in src/adapters.
      {
        find: /^@howdah\/([a-z]+)\/([a-z.-]+)$/,
        replacement: path('./packages/$1/src/adapters/$2.ts'),
      },
      { find: /^@howdah\/([a-z]+)$/, replacement: path('./packages/$1/src/index.ts') },
    ],
  },
  test: {
    include: [
      'packages/*/test/**/*.test.ts',
      'docs/test/**/*.test.ts',
      'examples/*/test/**/*.test.ts',
      'benchmarks/test/**/*.test.ts',
      'scripts/test/**/*.test.ts',
    ],
    globalSetup: ['./scripts/vitest-setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    // The default of one second is a statement about the machine.
    expect: { poll: { timeout: 15_000 } },
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
  },
})
