import { describe, expect, test } from 'vitest'
import { planUpRanges } from './plan-up-network.ts'

describe('ranges of "up"', () => {
  const plan = (options: Partial<Parameters<typeof planUpRanges>[1]>): ReturnType<typeof planUpRanges> =>
    planUpRanges('/data', { mode: 'kernel', addresses: ['10.0.0.1'], isDefault: true, asked: {}, known: {}, ...options })

  test.each([
    ['loopback: of this machine', { mode: 'loopback' }, ['127.96.0.0/16', undefined]],
    ['kernel: of one family', {}, ['10.96.0.0/16', '10.244.0.0/16']],
    ['kernel: of both', { addresses: ['10.0.0.1', 'fd00::1'] }, ['10.96.0.0/16,fd00:10:96::/112', '10.244.0.0/16,fd00:10:244::/48']],
    ['what is asked for', { asked: { serviceCidr: '10.1.0.0/16', clusterCidr: '10.2.0.0/16' } }, ['10.1.0.0/16', '10.2.0.0/16']],
    ['what the cluster has', { known: { serviceCidr: '10.3.0.0/16', clusterCidr: '10.4.0.0/16' } }, ['10.3.0.0/16', '10.4.0.0/16']],
  ] as const)('%s', (_what, options, [serviceCidr, clusterCidr]) => {
    expect(plan(options)).toEqual({ serviceCidr, clusterCidr })
  })

  test('a cluster whose services have loopback addresses does not get a network in the kernel', () => {
    expect(() => plan({ known: { serviceCidr: '127.96.0.0/16' } })).toThrow('have loopback addresses')
  })
})
