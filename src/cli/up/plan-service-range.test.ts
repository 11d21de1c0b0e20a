import { expect, test } from 'vitest'
import { parsePrefix } from '../../base/ip.ts'
import { planServiceRange } from './plan-service-range.ts'

test('the default directory has the default range', () => {
  expect(planServiceRange('/d', { isDefault: true, known: undefined })).toBe('127.96.0.0/16')
})

test('other directories have ranges apart from it, the same each time', () => {
  for (let i = 0; i < 100; i++) {
    const range = planServiceRange(`/data/${i}`, { isDefault: false, known: undefined })
    expect(range).toBe(planServiceRange(`/data/${i}`, { isDefault: false, known: undefined }))
    expect(parsePrefix(range)).toBeDefined()
    expect(Number(range.split('.')[1])).toSatisfy((n: number) => n >= 97 && n <= 126)
  }
})

test('services keep the range they have', () => {
  expect(planServiceRange('/d', { isDefault: false, known: '10.1.0.0/16' })).toBe('10.1.0.0/16')
})
