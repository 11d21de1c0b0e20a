// Programs in Go for tests: built from sources of the repository, with modules from the module proxy, into node_modules/.cache/biplane.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const LIMIT_MS = 1_200_000

/**
 * A program of the sources in `folder`, beside go.mod and go.sum. GOTOOLCHAIN=auto fetches the release of Go that it asks for.
 * @param options `name` of the binary, `files` of its sources, `command` of Go that builds it
 */
export function goBinary({ name, folder, files, command }) {
  const source = join(ROOT, folder)
  /** Where it is, or is to be: another place for other sources. */
  const path = () => {
    const hash = createHash('sha256')
    for (const file of ['go.mod', 'go.sum', ...files]) hash.update(readFileSync(join(source, file)))
    return join(ROOT, 'node_modules/.cache/biplane', `${name}-${hash.digest('hex').slice(0, 12)}`, name)
  }
  return {
    path,
    /** Its path if it was built already, else the empty string. */
    built: () => (existsSync(path()) ? path() : ''),
    /** Builds it unless it is there. @returns its path */
    build() {
      const target = path()
      if (existsSync(target)) return target
      mkdirSync(dirname(target), { recursive: true })
      const draft = `${target}-${process.pid}`
      const env = { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'auto', GOFLAGS: '-mod=readonly' }
      try {
        const args = [...command, '-trimpath', '-ldflags=-s -w', '-o', draft, '.']
        execFileSync('go', args, { cwd: source, stdio: ['ignore', 'inherit', 'inherit'], timeout: LIMIT_MS, env })
        renameSync(draft, target)
      } finally {
        rmSync(draft, { force: true })
      }
      return target
    },
  }
}

/** The command line of a script that builds one: prints its path, or nothing with `--if-built` where it is not there. */
export function buildFromCommandLine(binary, scriptUrl) {
  if (process.argv[1] === fileURLToPath(scriptUrl)) console.log(process.argv.includes('--if-built') ? binary.built() : binary.build())
}
