import { expect, test } from 'vitest'
import { parseIpv4Range } from '../../base/cidr.ts'
import { planAddresses } from './plan-addresses.ts'

test('the default directory has the default ranges', () => {
  expect(planAddresses('/d', { isDefault: true, known: undefined })).toEqual({ serviceCidr: '127.96.0.0/16', podCidr: undefined })
})

test('other directories have ranges apart from it, the same each time', () => {
  for (let i = 0; i < 100; i++) {
    const plan = planAddresses(`/data/${i}`, { isDefault: false, known: undefined })
    expect(plan).toEqual(planAddresses(`/data/${i}`, { isDefault: false, known: undefined }))
    expect(parseIpv4Range(plan.serviceCidr)).toBeDefined()
    expect(Number(plan.serviceCidr.split('.')[1])).toSatisfy((n: number) => n >= 97 && n <= 126)
    expect(Number(plan.podCidr?.split('.')[1])).toSatisfy((n: number) => n >= 65 && n <= 94)
  }
})

test('services keep the range they have', () => {
  expect(planAddresses('/d', { isDefault: false, known: '10.1.0.0/16' }).serviceCidr).toBe('10.1.0.0/16')
})
