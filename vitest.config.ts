import { defineConfig, type ViteUserConfig } from 'vitest/config'

const config: ViteUserConfig = defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      // unit tests share one process: no module mocks, no global state
      { test: { name: 'unit', include: ['src/**/*.test.ts'], isolate: false, pool: 'threads', testTimeout: 30_000 } },
      // real peers, processes and namespaces: one file at a time
      {
        test: {
          name: 'system',
          include: ['test/**/*.test.ts'],
          isolate: true,
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
export default config
