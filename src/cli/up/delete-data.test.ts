import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { deleteData, isDataDirectory } from './delete-data.ts'

test('only what biplane made is deleted', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'biplane-delete-'))
  try {
    expect(isDataDirectory(dir)).toBe(false)
    mkdirSync(join(dir, 'control-plane', 'store'), { recursive: true })
    writeFileSync(join(dir, 'thesis.txt'), 'years of work')
    expect(isDataDirectory(dir)).toBe(true)
    expect(await deleteData(dir)).toEqual(['thesis.txt'])
    expect(existsSync(join(dir, 'control-plane'))).toBe(false)
    rmSync(join(dir, 'thesis.txt'))
    expect(await deleteData(dir)).toEqual([])
    expect(existsSync(dir)).toBe(false)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
