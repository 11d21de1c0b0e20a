import { platform } from 'node:os'
import { expect, test } from 'vitest'
import { systemClock, type Clock } from '../../../base/clock.ts'
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

test.skipIf(!linux)(`to wait for an address costs no more the longer it takes${linux ? '' : ' (skipped: needs Linux)'}`, async () => {
  const shared = { ...address, host: '127.9.9.10' }
  const warnings: string[] = []
  const onWarning = ({ name }: Error): void => void warnings.push(name)
  process.on('warning', onWarning)
  let tries = 0
  let enough = (): void => {}
  const tried = new Promise<void>((resolve) => (enough = resolve))
  const hasty: Clock = {
    ...systemClock,
    after: (_ms, fn) =>
      systemClock.after(1, () => {
        if (++tries === 20) enough()
        fn()
      }),
  }
  const first = await claimAddress(shared, 'node a', systemClock)
  const second = await claimAddress(shared, 'node a', hasty)
  await tried
  second()
  first()
  // warnings are told in a later turn
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', onWarning)
  expect(warnings).not.toContain('MaxListenersExceededWarning')
})
