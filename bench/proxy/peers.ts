import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FILES } from './certificates.ts'
import { envoyConfig } from './envoy-config.ts'
import type { StackOptions } from './stack-proxy.ts'
import { allRoutes, ASKED, DENIED_HEADER, routePrefix } from './work.ts'

/** One proxy to start: what our own takes, and where it may write. */
export type PeerOptions = StackOptions & { readonly dir: string; readonly name: string }

/** A kind of proxy under test. */
export interface Peer {
  readonly name: string
  start(options: PeerOptions): ChildProcess
}

/** Proxies have one core, load and upstream the other. */
export const LOAD_CORE = 0
export const PROXY_CORE = 1

/** Runs a program on one core, its errors with ours. @param out file for its standard output */
export function onCore(core: number, argv: readonly string[], out?: string): ChildProcess {
  return spawn('taskset', ['-c', String(core), ...argv], {
    stdio: ['ignore', out === undefined ? 'ignore' : openSync(out, 'a'), 'inherit'],
  })
}

function nginxConfig(dir: string, name: string, server: string): string {
  const config = join(dir, `${name}.conf`)
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${dir}/${name}-${kind};`)
    .join(' ')
  writeFileSync(
    config,
    `daemon off; master_process off; worker_processes 1; pid ${dir}/${name}.pid; error_log /dev/null;
events { worker_connections 4096; }
http { keepalive_requests 100000000; keepalive_timeout 300s; tcp_nodelay on; ${temporary}
${server}
}
`,
  )
  return config
}

/** The upstream of all: 100 bytes, 10 KB, 1 MB; a trailer as gRPC has it. @param protocol HTTP/2 without TLS takes a port of its own */
export function startBackend(dir: string, port: number, protocol: 'http' | 'http2'): ChildProcess {
  writeFileSync(join(dir, '10k'), Buffer.alloc(10_240, 'x'))
  writeFileSync(join(dir, '1m'), Buffer.alloc(1_048_576, 'x'))
  const small = 'x'.repeat(100)
  const server = `access_log off; sendfile on; http2_max_concurrent_streams 512;
  server { listen 127.0.0.1:${port}${protocol === 'http2' ? ' http2' : ''} backlog=1024;
    location = ${ASKED}100 { return 200 "${small}"; }
    location = ${ASKED}10k { alias ${dir}/10k; }
    location = ${ASKED}1m { alias ${dir}/1m; }
    location = ${ASKED}grpc { default_type application/grpc; add_trailer grpc-status 0; return 200 "${small}"; } }`
  return onCore(LOAD_CORE, ['nginx', '-c', nginxConfig(dir, `backend-${protocol}`, server), '-p', dir])
}

const LOG_FIELDS =
  '[$time_iso8601] "$request_method $request_uri $server_protocol" $status - $request_length $bytes_sent $request_time $upstream_response_time "$http_x_forwarded_for" "$http_user_agent" "$request_id" "$host" "$upstream_addr"'

export const nginx: Peer = {
  name: 'nginx',
  start({ dir, name, port, upstreamPort, log }) {
    const locations = allRoutes.map((i) => `location ${routePrefix(i)} { proxy_pass http://app; }`).join('\n')
    const server = `map $http_${DENIED_HEADER.replaceAll('-', '_')} $denied { default 0; yes 1; }
  log_format line '${LOG_FIELDS}'; access_log ${log ? `${log} line buffer=64k flush=1s` : 'off'};
  upstream app { server 127.0.0.1:${upstreamPort}; keepalive 128; keepalive_requests 100000000; }
  server { listen 127.0.0.1:${port} backlog=1024; allow 127.0.0.0/8; deny all; if ($denied) { return 403; }
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; proxy_set_header X-Request-Id $request_id;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
    ${locations} }`
    return onCore(PROXY_CORE, ['nginx', '-c', nginxConfig(dir, name, server), '-p', dir])
  },
}

export const haproxy: Peer = {
  name: 'HAProxy',
  start(options) {
    const config = join(options.dir, `${options.name}.cfg`)
    writeFileSync(config, haproxyConfig(options))
    return onCore(PROXY_CORE, ['haproxy', '-db', '-f', config], options.log)
  },
}

function haproxyConfig({ port, upstreamPort, downstream, upstream, tls, certificates, log }: PeerOptions): string {
  const isHttp2 = upstream === 'http2'
  const proof = certificates === undefined ? '' : `ca-file ${join(certificates, FILES.ca)} crt ${join(certificates, FILES.both)}`
  const bind = tls === 'in' ? `ssl ${proof} verify required alpn h2,http/1.1` : downstream === 'http2' ? 'proto h2' : ''
  const server = tls === 'out' ? `ssl ${proof} verify required alpn ${isHttp2 ? 'h2' : 'http/1.1'}` : isHttp2 ? 'proto h2' : ''
  return `global
  nbthread 1
  maxconn 4000
  tune.bufsize 65536
  ${log ? 'log stdout format raw local0' : ''}
defaults
  mode http
  ${log ? 'log global\n  option httplog' : ''}
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout http-request 10s
  http-reuse always
  option forwardfor
  unique-id-format %{+X}o%ci:%cp_%fi:%fp_%Ts_%rt:%pid
  unique-id-header x-request-id
frontend f
  bind 127.0.0.1:${port} ${bind}
  http-request deny if { hdr(${DENIED_HEADER}) yes }
  http-request deny unless { src 127.0.0.0/8 }
  http-request set-header x-forwarded-proto http
${allRoutes.map((i) => `  use_backend app if { path_beg ${routePrefix(i)} }`).join('\n')}
  default_backend none
backend none
  http-request deny deny_status 404
backend app
  server s 127.0.0.1:${upstreamPort} ${server}
`
}

export const nghttpx: Peer = {
  name: 'nghttpx',
  start({ port, upstreamPort, upstream, log }) {
    const proto = upstream === 'http2' ? ';proto=h2' : ''
    return onCore(PROXY_CORE, [
      'nghttpx',
      `-f127.0.0.1,${port};no-tls`,
      ...allRoutes.map((i) => `-b127.0.0.1,${upstreamPort};${routePrefix(i)}${proto}`),
      `-b127.0.0.1,${upstreamPort};/${proto}`,
      '-n1',
      '--single-process',
      '--conf=/dev/null',
      `--accesslog-file=${log ?? '/dev/null'}`,
      '--errorlog-file=/dev/null',
    ])
  },
}

export const envoy: Peer = {
  name: 'Envoy',
  start(options) {
    const config = join(options.dir, `${options.name}.json`)
    writeFileSync(config, JSON.stringify(envoyConfig(options)))
    return onCore(PROXY_CORE, [envoyProgram() as string, '-c', config, '--concurrency', '1', '--disable-hot-restart', '--log-level', 'off'])
  },
}

/** Where Envoy is: BIPLANE_ENVOY, the path, or where the tests keep it. */
export function envoyProgram(): string | undefined {
  const given = process.env['BIPLANE_ENVOY']
  if (given) return given
  if (isInstalled('envoy')) return 'envoy'
  const cached = join(process.env['BIPLANE_ROOT'] ?? '.', 'node_modules/.cache/biplane/envoy/envoy/_bin/envoy')
  return existsSync(cached) ? cached : undefined
}

export function isInstalled(program: string): boolean {
  try {
    execFileSync('which', [program], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** The bundle that runs, as a proxy. */
export const ours: Peer = {
  name: 'biplane',
  start: ({ dir: _dir, name: _name, ...options }) =>
    onCore(PROXY_CORE, [process.execPath, ...nodeArgs(), process.argv[1] as string, 'proxy', JSON.stringify(options)]),
}

const nodeArgs = (): readonly string[] => (process.env['BIPLANE_NODE_ARGS'] ?? '').split(' ').filter((text) => text !== '')

/** Ours first, then those of the given ones that are installed; who is missing is said. */
export function present(peers: readonly Peer[]): readonly Peer[] {
  const found = peers.filter((peer) => (peer === envoy ? envoyProgram() !== undefined : isInstalled(peer.name.toLowerCase())))
  for (const peer of peers) if (!found.includes(peer)) process.stderr.write(`${peer.name} is not installed: left out\n`)
  return [ours, ...found]
}
