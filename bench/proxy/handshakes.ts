import { execFile, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { usageOf } from '../harness/usage.ts'
import { FILES } from './certificates.ts'
import { LOAD_CORE } from './peers.ts'

/** New TLS 1.3 connections with a client certificate, one after another for some seconds. @returns CPU microseconds of the server for each @throws Error when none succeeded */
export async function handshakes(dir: string, port: number, server: ChildProcess, seconds: number): Promise<number> {
  const before = usageOf(server.pid as number).cpuMs
  const file = (name: keyof typeof FILES): string => join(dir, FILES[name])
  const argv = ['-c', String(LOAD_CORE), 'openssl', 's_time', '-connect', `127.0.0.1:${port}`, '-new', '-time', String(seconds)]
  const proof = ['-cert', file('certificate'), '-key', file('privateKey'), '-CAfile', file('ca'), '-tls1_3']
  const { stdout } = await promisify(execFile)('taskset', [...argv, ...proof], { timeout: 60_000 })
  const count = Number(/^(\d+) connections in [\d.]+ real/m.exec(stdout)?.[1] ?? 0)
  if (count === 0) throw new Error(`no TLS connection could be made:\n${stdout}`)
  return ((usageOf(server.pid as number).cpuMs - before) * 1_000) / count
}
