import { describe, expect, test } from 'vitest'
import { parseIp, parsePrefix } from '../../base/ip.ts'
import { InteriorTable } from './interior.ts'

const table = new InteriorTable(
  [
    ['0.0.0.0/0', 'wan', 0],
    ['10.0.0.0/8', 'core', 10],
    ['10.1.0.0/16', 'slow', 20],
    ['10.1.0.0/16', 'rack', 5],
    ['10.1.2.3/32', 'host', 0],
    ['2001:db8::/32', 'six', 0],
    ['fe80::/64', 'link', 0],
  ].map(([prefix, device, metric]) => ({ prefix: parsePrefix(prefix as string)!, device: device as string, metric: metric as number })),
)

describe('InteriorTable', () => {
  test.each([
    ['10.1.2.3', 'host'],
    ['10.1.2.4', 'rack'],
    ['10.2.0.1', 'core'],
    ['192.0.2.1', 'wan'],
    ['2001:db8:1::1', 'six'],
    ['2001:db9::1', undefined],
  ])('%s is reached over %s', (address, device) => {
    expect(table.lookup(parseIp(address)!)?.device).toBe(device)
  })
})
