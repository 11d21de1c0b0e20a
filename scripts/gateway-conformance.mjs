// Runs Gateway API's conformance suite against a cluster of its own (`biplane up`, in the loopback network, so as root or with
// net.ipv4.ip_unprivileged_port_start=80), and writes its reports to docs/reference/conformance. Needs a build of dist/, and Go unless the suite was built.
// Usage: node scripts/gateway-conformance.mjs [--only gateway|mesh] [--out DIR] [-- FLAGS OF THE SUITE]
// Exits 1 when a test has failed. FLAGS such as `-run-test NAME` narrow it down; give --out then, to leave the reports alone.
import { spawn } from 'node:child_process'
import { createWriteStream, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync, chmodSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { gatewayConformanceRecipes } from '../test/gateway-conformance/recipes.mjs'
import { gatewayConformance } from './build-gateway-conformance.mjs'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const STARTS_WITHIN_MS = 60_000
const LIMIT_MS = 1_800_000

const MESH_FEATURES =
  'Mesh HTTPRoute GRPCRoute ReferenceGrant MeshClusterIPMatching MeshConsumerRoute MeshHTTPRouteRewritePath MeshHTTPRouteSchemeRedirect ' +
  'MeshHTTPRouteRedirectPort MeshHTTPRouteRedirectPath MeshHTTPRouteQueryParamMatching MeshHTTPRouteBackendRequestHeaderModification ' +
  'MeshHTTPRouteNamedRouteRule HTTPRouteQueryParamMatching HTTPRouteMethodMatching HTTPRouteResponseHeaderModification'

/** What is run, and how. */
const RUNS = {
  gateway: ['-conformance-profiles', 'GATEWAY-HTTP,GATEWAY-GRPC,GATEWAY-TLS,GATEWAY-TCP'],
  mesh: `-conformance-profiles MESH-HTTP,MESH-GRPC -namespace-labels kuma.io/sidecar-injection=enabled -supported-features ${MESH_FEATURES.replaceAll(' ', ',')}`.split(
    ' ',
  ),
}

const split = process.argv.indexOf('--')
const { values } = parseArgs({
  args: process.argv.slice(2, split < 0 ? undefined : split),
  options: { only: { type: 'string' }, out: { type: 'string', default: join(ROOT, 'docs/reference/conformance') } },
})
const more = split < 0 ? [] : process.argv.slice(split + 1)
const names = values.only === undefined ? Object.keys(RUNS) : [values.only]
const unknown = names.find((name) => !Object.hasOwn(RUNS, name))
if (unknown !== undefined) throw new Error(`--only takes ${Object.keys(RUNS).join(' or ')}, not ${unknown}`)

const suite = gatewayConformance.build()
const dir = mkdtempSync(join(tmpdir(), 'biplane-conformance-'))
// pods run as other users
chmodSync(dir, 0o755)
let failed = false
const up = await start()
try {
  mkdirSync(values.out, { recursive: true })
  for (const name of names) failed = !(await run(name)) || failed
} finally {
  await stop(up)
  if (!failed) rmSync(dir, { recursive: true, force: true, maxRetries: 10 })
}
process.exit(failed ? 1 : 0)

async function start() {
  const recipes = join(dir, 'recipes.json')
  writeFileSync(recipes, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: gatewayConformanceRecipes() }))
  const args = [
    'up',
    '--network',
    'loopback',
    '--listen',
    '127.0.0.1:0',
    '--data-dir',
    join(dir, 'data'),
    '--kubeconfig',
    join(dir, 'kubeconfig'),
    '-f',
    recipes,
  ]
  const child = spawn(process.execPath, [join(ROOT, 'dist/biplane.js'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said = (said + text).slice(-100_000)))
  for (const until = Date.now() + STARTS_WITHIN_MS; ; await delay(200)) {
    if (child.exitCode !== null || Date.now() > until) throw new Error(`biplane up did not become ready; it said:\n${said}`)
    if (existsSync(join(dir, 'kubeconfig')) && said.includes('ready (')) return child
  }
}

/** @returns whether all went well */
async function run(name) {
  const report = join(values.out, `${name}.yaml`)
  const log = join(dir, `${name}.log`)
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const about = [
    '-organization',
    'biplane',
    '-project',
    'biplane',
    '-version',
    version,
    '-url',
    'https://biplane.dev',
    '-contact',
    '@biplane',
  ]
  const limits = ['-test.v', '-test.timeout', `${LIMIT_MS / 60_000}m`, '-timeout-config-overrides', 'MaxTimeToConsistency:15']
  const child = spawn(suite, [...limits, ...RUNS[name], ...about, '-report-output', report, ...more], {
    env: { ...process.env, KUBECONFIG: join(dir, 'kubeconfig') },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const file = createWriteStream(log)
  let lines = ''
  child.stdout.on('data', (text) => (lines += text) && file.write(text))
  const code = await new Promise((resolve) => child.once('close', resolve))
  file.end()
  const verdicts = [...lines.matchAll(/^ {4}--- (PASS|FAIL|SKIP): TestConformance\/(\S+)/gm)]
  const of = (verdict) => verdicts.filter(([, one]) => one === verdict).map(([, , test]) => test)
  console.log(`${name}: ${of('PASS').length} passed, ${of('SKIP').length} skipped, ${of('FAIL').length} failed`)
  for (const test of of('FAIL')) console.log(`  failed: ${test}`)
  if (code !== 0) console.log(`  the suite's log: ${log}`)
  return code === 0
}

async function stop(child) {
  const ended = new Promise((resolve) => (child.exitCode === null ? child.once('exit', resolve) : resolve()))
  child.kill('SIGINT')
  if (await Promise.race([ended.then(() => true), delay(30_000, false, { ref: false })])) return
  child.kill('SIGKILL')
}
