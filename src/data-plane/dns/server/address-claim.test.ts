import { platform } from 'node:os'
import { expect, test } from 'vitest'
import { systemClock } from '../../../base/clock.ts'
import { AddressTakenError, claimAddress } from './address-claim.ts'

const address = { host: '127.9.9.9', port: 60_000 + (process.pid % 5_000) }
const linux = platform() === 'linux'

test.skipIf(!linux)(
  `an address is shared by processes of one owner, and by nobody else${linux ? '' : ' (skipped: needs Linux)'}`,
  async () => {
    const first = await claimAddress(address, 'node a', systemClock)
    await expect(claimAddress(address, 'node b', systemClock)).rejects.toThrow(AddressTakenError)
    const second = await claimAddress(address, 'node a', systemClock)
    first()
    // the second has taken it over: still nobody else may
    let refused: unknown
    const deadline = performance.now() + 10_000
    while (!(refused instanceof AddressTakenError) && performance.now() < deadline) {
      refused = await claimAddress(address, 'node b', systemClock).then(
        (release) => release(),
        (error: unknown) => error,
      )
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect(refused).toBeInstanceOf(AddressTakenError)
    second()
  },
)
