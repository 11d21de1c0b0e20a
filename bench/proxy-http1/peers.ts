import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A proxy under test. */
export interface Peer {
  readonly name: string
  start(dir: string, port: number, upstreamPort: number): ChildProcess
}

/** Runs a program on one core, its errors with ours. */
function onCore(core: number, argv: readonly string[]): ChildProcess {
  return spawn('taskset', ['-c', String(core), ...argv], { stdio: ['ignore', 'ignore', 'inherit'] })
}

function nginxConfig(dir: string, name: string, server: string): string {
  const config = join(dir, `${name}.conf`)
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${dir}/${name}-${kind};`)
    .join(' ')
  writeFileSync(
    config,
    `daemon off; master_process off; worker_processes 1; pid ${dir}/${name}.pid; error_log /dev/null;
    events { worker_connections 2048; }
    http { access_log off; keepalive_requests 100000000; keepalive_timeout 300s; tcp_nodelay on; ${temporary}
      ${server} }`,
  )
  return config
}

/** The upstream: 100 bytes, 10 KB, 1 MB. */
export function startBackend(dir: string, port: number): ChildProcess {
  writeFileSync(join(dir, '10k'), Buffer.alloc(10_240, 'x'))
  writeFileSync(join(dir, '1m'), Buffer.alloc(1_048_576, 'x'))
  const server = `sendfile on; root ${dir}; server { listen 127.0.0.1:${port} backlog=1024; location = / { return 200 "${'x'.repeat(100)}"; } location / {} }`
  return onCore(0, ['nginx', '-c', nginxConfig(dir, 'backend', server), '-p', dir])
}

const nginx: Peer = {
  name: 'nginx',
  start(dir, port, upstreamPort) {
    const server = `upstream u { server 127.0.0.1:${upstreamPort}; keepalive 128; keepalive_requests 100000000; }
      server { listen 127.0.0.1:${port} backlog=1024; location / { proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ""; } }`
    return onCore(1, ['nginx', '-c', nginxConfig(dir, 'proxy', server), '-p', dir])
  },
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
  tune.bufsize 65536
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  http-reuse always
frontend f
  bind 127.0.0.1:${port}
  default_backend b
backend b
  server s 127.0.0.1:${upstreamPort}
`,
    )
    return onCore(1, ['haproxy', '-db', '-f', config])
  },
}

const ours = (transport: 'raw' | 'sockets'): Peer => ({
  name: transport === 'raw' ? 'biplane' : 'biplane on sockets',
  start: (_dir, port, upstreamPort) =>
    onCore(1, [process.execPath, process.argv[1] as string, 'proxy', String(port), String(upstreamPort), transport]),
})

/** Ours first. */
export const PEERS: readonly Peer[] = [ours('raw'), ours('sockets'), nginx, haproxy]
