// Builds the conformance suite of Gateway API with test/gateway-conformance as its main test. The binary goes to node_modules/.cache/biplane. Needs Go
// (GOTOOLCHAIN=auto fetches the release that the suite asks for from the module proxy) and, the first time, about four minutes on two cores.
// Usage: node scripts/build-gateway-conformance.mjs [--if-built]   prints the path, or nothing with `--if-built`
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const SOURCE = fileURLToPath(new URL('../test/gateway-conformance', import.meta.url))
const CACHE = fileURLToPath(new URL('../node_modules/.cache/biplane', import.meta.url))
const LIMIT_MS = 1_200_000

/** Where the binary is, or is to be: another one for other sources. */
export function gatewayConformancePath() {
  const hash = createHash('sha256')
  for (const name of ['go.mod', 'go.sum', 'gateway_conformance_test.go']) hash.update(readFileSync(join(SOURCE, name)))
  return join(CACHE, `gateway-conformance-${hash.digest('hex').slice(0, 12)}`, 'gateway-conformance')
}

/** Path of the binary if it was built already, else the empty string. */
export function builtGatewayConformance() {
  return existsSync(gatewayConformancePath()) ? gatewayConformancePath() : ''
}

/** Builds it unless it is there. @returns its path */
export function buildGatewayConformance() {
  const target = gatewayConformancePath()
  if (existsSync(target)) return target
  mkdirSync(dirname(target), { recursive: true })
  const draft = `${target}-${process.pid}`
  const env = { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'auto', GOFLAGS: '-mod=readonly' }
  try {
    const args = ['test', '-c', '-trimpath', '-ldflags=-s -w', '-o', draft, '.']
    execFileSync('go', args, { cwd: SOURCE, stdio: ['ignore', 'inherit', 'inherit'], timeout: LIMIT_MS, env })
    renameSync(draft, target)
  } finally {
    rmSync(draft, { force: true })
  }
  return target
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(process.argv.includes('--if-built') ? builtGatewayConformance() : buildGatewayConformance())
}
