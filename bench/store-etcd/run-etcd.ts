import type { ChildProcess } from 'node:child_process'
import { execFileSync, spawn } from 'node:child_process'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** @throws {Error} when there is no etcd */
export function etcdVersion(): string {
  return execFileSync('etcd', ['--version'], { encoding: 'utf8' }).split('\n')[0] as string
}

/** A single etcd member with default settings; its port answers. The caller ends the child. */
export async function startEtcd(dir: string): Promise<{ readonly url: string; readonly child: ChildProcess }> {
  const [client, peer] = [await freePort(), await freePort()].map((port) => `http://127.0.0.1:${port}`) as [string, string]
  const listen = ['--listen-client-urls', client, '--advertise-client-urls', client, '--listen-peer-urls', peer]
  const args = ['--data-dir', dir, ...listen, '--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`]
  const child = spawn('etcd', [...args, '--log-level', 'error'], { stdio: ['ignore', 'ignore', 'inherit'] })
  for (let attempt = 0; attempt < 100; attempt++) {
    const healthy = await fetch(`${client}/health`).then(
      (response) => response.ok,
      () => false,
    )
    if (healthy) return { url: client, child }
    await delay(100)
  }
  child.kill()
  throw new Error('etcd did not start within 10 s')
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
