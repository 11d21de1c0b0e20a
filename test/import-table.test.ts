import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'

const planted = [
  { file: 'src/base/planted.ts', line: `export { deepEqual } from '../api/meta/equality.ts'`, says: 'base imports nothing of ours' },
  { file: 'src/api/planted.ts', line: `export { createClient } from '../client/create-client.ts'`, says: 'api imports base only' },
  { file: 'src/client/planted.ts', line: `export { WorkQueue } from '../controller/work-queue.ts'`, says: 'client imports' },
  {
    file: 'src/data-plane/planted.ts',
    line: `export { addScheduler } from '../control-plane/scheduler/index.ts'`,
    says: 'planes meet only',
  },
  {
    file: 'src/control-plane/planted.ts',
    line: `export { ServiceProxy } from '../data-plane/service-proxy/index.ts'`,
    says: 'planes meet only',
  },
]

describe('the import table', () => {
  afterAll(() => {
    for (const { file } of planted) rmSync(file, { force: true })
  })

  test.each(planted)('the linter refuses $line in $file', ({ file, line, says }) => {
    writeFileSync(file, `${line}\n`)
    let output = ''
    try {
      execFileSync('node_modules/.bin/oxlint', [file], { encoding: 'utf8', stdio: 'pipe' })
    } catch (error) {
      output = String((error as { stdout?: string }).stdout)
    } finally {
      rmSync(file, { force: true })
    }
    expect(output).toContain(says)
  })
})
