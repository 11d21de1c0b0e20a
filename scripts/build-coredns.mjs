// Builds CoreDNS, the peer of cluster DNS in benchmarks, from the Go module proxy. The binary goes to the user's cache directory (XDG_CACHE_HOME or ~/.cache),
// never into the repository. Needs Go and, the first time, some minutes. Usage: node scripts/build-coredns.mjs   prints the path
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const VERSION = '1.15.0'
const LIMIT_MS = 900_000

/** Builds it unless it is there. @returns its path */
export function buildCoreDns() {
  const dir = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'biplane', `coredns-${VERSION}`)
  const target = join(dir, 'coredns')
  if (existsSync(target)) return target
  mkdirSync(dir, { recursive: true })
  const work = mkdtempSync(join(dir, 'build-'))
  const go = (cwd, ...args) =>
    execFileSync('go', args, { cwd, encoding: 'utf8', timeout: LIMIT_MS, env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=mod' } })
  try {
    const { Dir } = JSON.parse(go(work, 'mod', 'download', '-json', `github.com/coredns/coredns@v${VERSION}`))
    const source = join(work, 'source')
    cpSync(Dir, source, { recursive: true })
    makeWritable(source)
    go(source, 'build', '-trimpath', '-o', join(work, 'coredns'), '.')
    renameSync(join(work, 'coredns'), target)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
  return target
}

/** The module cache is read-only, and so is a copy of it. */
function makeWritable(path) {
  const isDirectory = statSync(path).isDirectory()
  chmodSync(path, isDirectory ? 0o755 : 0o644)
  if (isDirectory) for (const name of readdirSync(path)) makeWritable(join(path, name))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(`${buildCoreDns()}\n`)
