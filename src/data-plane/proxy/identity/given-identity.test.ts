import { expect, it } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { silentLogger } from '../../../base/log.ts'
import { GivenIdentity, identityMessage } from './given-identity.ts'
import { signer, testAuthority } from './identity-fixture.ts'
import { WorkloadIdentity } from './workload-identity.ts'

it('is in another process what it is in the first, until it runs out', async () => {
  const clock = new FakeClock(1_800_000_000_000)
  const nowMs = (): number => clock.now()
  const ca = testAuthority(nowMs())
  const spiffeId = 'spiffe://a/b'
  const identity = new WorkloadIdentity({
    sign: signer({ ca, spiffeId, trust: { a: [ca.certificate] }, nowMs }),
    clock,
    random: () => 0,
    log: silentLogger,
  })
  const given = new GivenIdentity(clock)
  let changes = 0
  given.onChange(() => changes++)
  const pass = (): void => given.give(JSON.parse(JSON.stringify(identityMessage(identity))) as ReturnType<typeof identityMessage>)
  pass()
  expect([given.material, given.trust.size]).toEqual([undefined, 0])
  identity.want({ spiffeId, issuer: 'ca-1' })
  await clock.advance(0)
  pass()
  expect(given.material).toEqual(identity.material)
  expect(given.trust.get('a')?.map(String)).toEqual(identity.trust.get('a')?.map(String))
  expect(changes).toBe(2)
  identity.stop()
  await clock.advance(3_600_000)
  expect(given.material).toBeUndefined()
})
