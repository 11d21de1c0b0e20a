import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'

/** A program under test, or the one behind all of them. */
export interface Peer {
  readonly name: string
  start(dir: string, port: number, upstreamPort: number): ChildProcess
}

/** Runs a program on one core, its errors with ours. */
function onCore(core: number, argv: readonly string[]): ChildProcess {
  return spawn('taskset', ['-c', String(core), ...argv], { stdio: ['ignore', 'ignore', 'inherit'] })
}

/** The upstream: h2c, 100 bytes, with a trailer for POST. */
export function startBackend(dir: string, port: number): ChildProcess {
  const config = join(dir, 'nginx.conf')
  writeFileSync(
    config,
    `daemon off; worker_processes 1; pid ${dir}/nginx.pid; error_log /dev/null;
    events { worker_connections 1024; }
    http { access_log off; keepalive_requests 100000000; client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy;
      fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
      server { listen 127.0.0.1:${port} http2 reuseport backlog=1024; http2_max_concurrent_streams 512;
        location / { return 200 "${'x'.repeat(100)}"; }
        location /grpc { default_type application/grpc; add_trailer grpc-status 0; return 200 "${'x'.repeat(100)}"; } } }`,
  )
  return onCore(0, ['nginx', '-c', config, '-p', dir])
}

const haproxy: Peer = {
  name: 'HAProxy',
  start(dir, port, upstreamPort) {
    const config = join(dir, 'haproxy.cfg')
    writeFileSync(
      config,
      `global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  http-reuse always
frontend f
  bind 127.0.0.1:${port} proto h2
  default_backend b
backend b
  server s 127.0.0.1:${upstreamPort} proto h2
`,
    )
    return onCore(1, ['haproxy', '-db', '-f', config])
  },
}

const nghttpx: Peer = {
  name: 'nghttpx',
  start(_dir, port, upstreamPort) {
    return onCore(1, [
      'nghttpx',
      `-f127.0.0.1,${port};no-tls`,
      `-b127.0.0.1,${upstreamPort};/;proto=h2`,
      '-n1',
      '--single-process',
      '--conf=/dev/null',
      '--accesslog-file=/dev/null',
      '--errorlog-file=/dev/null',
    ])
  },
}

const ours: Peer = {
  name: 'biplane',
  start: (_dir, port, upstreamPort) =>
    onCore(1, [process.execPath, process.argv[1] as string, 'proxy', String(port), String(upstreamPort)]),
}

/** Ours first, and the others that are installed. */
export const PEERS: readonly Peer[] = [ours, ...[haproxy, nghttpx].filter(({ name }) => isInstalled(name.toLowerCase()))]

function isInstalled(program: string): boolean {
  try {
    execFileSync('which', [program], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Resolves when something listens. @throws after ten seconds */
export async function listening(port: number): Promise<void> {
  for (const until = performance.now() + 10_000; performance.now() < until;) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy()
        resolve(true)
      })
      socket.on('error', () => resolve(false))
    })
    if (isOpen) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`nothing listens on port ${port}`)
}
