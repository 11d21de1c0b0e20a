import { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { FakeClock } from '../../base/fake-clock.ts'
import { parseIp, type IpBytes } from '../../base/ip.ts'
import { silentLogger } from '../../base/log.ts'
import type { PeerConfig, RoutingConfig } from './config/index.ts'
import { Listeners } from './listeners.ts'

const ip = (text: string): IpBytes => parseIp(text) as IpBytes

/** One listening address, and peers with or without a password. */
const configOf = (peers: Readonly<Record<string, string | undefined>>): RoutingConfig =>
  ({
    revision: '1',
    router: { listen: { addresses: ['0.0.0.0'], port: 179 } },
    peers: Object.entries(peers).map(
      ([address, password]) =>
        ({ remote: { address: ip(address), port: 179 }, transport: password === undefined ? {} : { password } }) as PeerConfig,
    ),
    originated: [],
    statics: [],
    problems: [],
  }) as unknown as RoutingConfig

test('who must sign is not let in before the kernel knows the password', async () => {
  const clock = new FakeClock()
  const accepted: string[] = []
  const set: string[] = []
  let arrive: (socket: Socket, remote: IpBytes) => void = () => {}
  let isRefusing = true
  const listeners = new Listeners({
    clock,
    log: silentLogger,
    accept: (_, remote) => accepted.push(remote.join('.')),
    sockets: {
      connect: () => new Socket(),
      adopt: () => {},
      listen: (_address, _port, accept) => {
        arrive = accept
        return Promise.resolve({
          setKey: (_peers, password) => {
            if (isRefusing) throw new Error('no memory for keys')
            set.push(password)
          },
          close: () => Promise.resolve(),
        })
      },
    },
  })
  listeners.configure(configOf({ '192.0.2.1': 'secret', '192.0.2.2': undefined }))
  await clock.advance(0)
  const from = (address: string): boolean => {
    const socket = new Socket()
    arrive(socket, ip(address))
    return !socket.destroyed
  }
  expect(from('192.0.2.1')).toBe(false)
  expect(from('192.0.2.2')).toBe(true)
  isRefusing = false
  await clock.advance(2_000)
  expect(set).toEqual(['secret'])
  expect(from('192.0.2.1')).toBe(true)
  expect(accepted).toEqual(['192.0.2.2', '192.0.2.1'])
  await listeners.close()
})
